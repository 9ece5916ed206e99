/**
 * How one thread hands calls to another one, over a word that both share. Each side is a list of steps,
 * every one of which is atomic: a test puts those of both sides in every order.
 */

/** Whose turn it is: the value of the word. */
export const Turn = {
  /** The thread has not started yet. */
  starting: 0,
  /** The thread has nothing to do; what it did last is there to be read. */
  idle: 1,
  /** The thread is to make a call, or is making it. */
  ordered: 2,
  /** The thread is to end. */
  ended: 3,
  /** The thread could not make its call, and makes no other one. */
  failed: 4,
} as const;

/** What a side does next. The value that it goes on with is in the comment. */
export type Step =
  /** The word. */
  | { readonly do: "load" }
  | { readonly do: "store"; readonly value: number }
  /** The word before; it is changed where it was `expected`, or in any case where nothing is. */
  | { readonly do: "exchange"; readonly expected?: number; readonly value: number }
  | { readonly do: "notify" }
  /** Sleeps while the word is `value`, and may wake up early: {@link IN_TIME} or {@link TIME_UP}. */
  | { readonly do: "sleep"; readonly value: number }
  /** Makes the call: {@link MADE} or {@link NOT_MADE}. */
  | { readonly do: "call" };

/** A side of a hand-over, and what it comes to. */
export type Steps<R> = Generator<Step, R, number>;

/** What a sleep goes on with. */
export const TIME_UP = 0;
export const IN_TIME = 1;

/** What a call goes on with. */
export const NOT_MADE = 0;
export const MADE = 1;

/**
 * How a call ended: it was made; the thread failed, and it is not known how far it came; or the thread
 * does not answer, and may still be making it.
 */
export type CallEnd = "made" | "failed" | "late";

/** Orders a call; it must be the caller's turn. */
export function* order(): Steps<void> {
  yield { do: "store", value: Turn.ordered };
  yield { do: "notify" };
}

/**
 * Waits for the end of a call. The word alone says what happened: the notify for the call before may come
 * as late as this.
 */
export function* awaitCall(): Steps<CallEnd> {
  let late = false;
  for (;;) {
    const turn = yield { do: "load" };
    if (turn !== Turn.ordered) return turn === Turn.idle ? "made" : "failed";
    if (late) return "late";
    late = (yield { do: "sleep", value: Turn.ordered }) === TIME_UP;
  }
}

/** Tells the thread to end. @returns whether it may be making a call: its memory must stay until it has ended */
export function* end(): Steps<boolean> {
  const before = yield { do: "exchange", value: Turn.ended };
  yield { do: "notify" };
  return before === Turn.ordered;
}

/** The thread: makes calls, until one fails, and ends when it is told to. */
export function* serve(): Steps<void> {
  yield { do: "exchange", expected: Turn.starting, value: Turn.idle };
  for (;;) {
    const turn = yield { do: "load" };
    if (turn === Turn.ordered) {
      const made = (yield { do: "call" }) === MADE;
      yield { do: "exchange", expected: Turn.ordered, value: made ? Turn.idle : Turn.failed };
      yield { do: "notify" };
    } else if (turn === Turn.ended) return;
    else yield { do: "sleep", value: turn };
  }
}

/**
 * Takes the steps of one side on the word `words[0]`.
 * @param timeoutMs how long its sleeps may take together
 * @param call makes the call; what it throws is a call that was not made
 */
export function take<R>(
  steps: Steps<R>,
  words: Int32Array,
  timeoutMs: number,
  call: () => void = () => {},
): R {
  const clock = { deadline: 0, timeoutMs };
  let next = steps.next();
  while (next.done !== true) next = steps.next(takeStep(next.value, words, clock, call));
  return next.value;
}

// The clock is read by who sleeps alone.
type Clock = { deadline: number; readonly timeoutMs: number };

function takeStep(step: Step, words: Int32Array, clock: Clock, call: () => void): number {
  switch (step.do) {
    case "load":
      return Atomics.load(words, 0);
    case "store":
      return Atomics.store(words, 0, step.value);
    case "exchange":
      return step.expected === undefined
        ? Atomics.exchange(words, 0, step.value)
        : Atomics.compareExchange(words, 0, step.expected, step.value);
    case "notify":
      return Atomics.notify(words, 0);
    case "sleep":
      return sleep(words, step.value, clock);
    case "call":
      return make(call);
    default:
      return 0;
  }
}

function make(call: () => void): number {
  try {
    call();
    return MADE;
  } catch {
    return NOT_MADE;
  }
}

function sleep(words: Int32Array, value: number, clock: Clock): number {
  if (clock.timeoutMs === Number.POSITIVE_INFINITY) {
    Atomics.wait(words, 0, value);
    return IN_TIME;
  }
  if (clock.deadline === 0) clock.deadline = performance.now() + clock.timeoutMs;
  Atomics.wait(words, 0, value, Math.max(0, clock.deadline - performance.now()));
  return performance.now() >= clock.deadline ? TIME_UP : IN_TIME;
}
