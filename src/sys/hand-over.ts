/**
 * How one thread hands calls to another over a word that both share. Each side is a list of atomic
 * steps, so that a test can interleave both sides in every order.
 */

/** Whose turn it is: the value of the word. */
export const Turn = {
  /** The thread has not started yet. */
  starting: 0,
  /** The thread has nothing to do; the results of its last call can be read. */
  idle: 1,
  /** The thread is to make a call, or is making it. */
  ordered: 2,
  /** The thread is to end. */
  ended: 3,
  /** The thread could not make its call, and makes no further one. */
  failed: 4,
} as const;

/** What a side does next. Each comment names the value with which the side continues. */
export type Step =
  /** The word. */
  | { readonly do: "load" }
  | { readonly do: "store"; readonly value: number }
  /**
   * The old value of the word. The word is changed if it was `expected`, or always if nothing is
   * expected.
   */
  | { readonly do: "exchange"; readonly expected?: number; readonly value: number }
  | { readonly do: "notify" }
  /** Sleeps while the word is `value`, and may wake up early: {@link IN_TIME} or {@link TIME_UP}. */
  | { readonly do: "sleep"; readonly value: number }
  /** Makes the call: {@link MADE} or {@link NOT_MADE}. */
  | { readonly do: "call" };

/** One side of a hand-over, and its result. */
export type Steps<R> = Generator<Step, R, number>;

/** The result of a sleep. */
export const TIME_UP = 0;
export const IN_TIME = 1;

/** The result of a call. */
export const NOT_MADE = 0;
export const MADE = 1;

/**
 * How a call ended: it was made; the thread failed at an unknown point; or the thread does not
 * answer and may still be making the call.
 */
export type CallEnd = "made" | "failed" | "late";

/** Orders a call; it must be the caller's turn. */
export function* order(): Steps<void> {
  yield { do: "store", value: Turn.ordered };
  yield { do: "notify" };
}

/**
 * Waits for the end of a call. Only the word says what happened: a late notification may belong to
 * the previous call.
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

/** The thread: makes calls until one fails or it is told to end. */
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
 * Executes the steps of one side on the word `words[0]`.
 * @param timeoutMs how long its sleeps may take in total
 * @param call makes the call; if it throws, the call counts as not made
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

// Only a sleep reads the clock.
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
