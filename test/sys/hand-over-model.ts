/**
 * Both sides of a hand-over, step by step, in an order that its user chooses.
 */
import {
  awaitCall,
  type CallEnd,
  end,
  IN_TIME,
  MADE,
  NOT_MADE,
  order,
  serve,
  type Step,
  type Steps,
  TIME_UP,
  Turn,
} from "../../src/sys/hand-over.ts";

/** What is done, and what may go wrong. */
export type World = {
  /** Calls that the caller orders, and whether it waits for the last one before it ends the thread. */
  readonly calls: number;
  readonly waitsForLast: boolean;
  /** Sleeps that end before their time, for no reason. */
  readonly spurious: number;
  /** The caller's time may be up in any of its sleeps. */
  readonly timeUp: boolean;
  /** The thread may stop for good before any of its steps. */
  readonly stops: boolean;
  /** Any call may not be made. */
  readonly fails: boolean;
};

/** What happens next. */
export type Choice =
  | "caller"
  | "thread"
  | "caller wakes up early"
  | "thread wakes up early"
  | "caller's time is up"
  | "thread stops"
  | "thread fails";

/** As `expect`, which takes most of the time where it is asked millions of times. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`it does not hold that ${what}`);
}

class Side {
  readonly steps: Steps<void>;
  next: IteratorResult<Step, void>;
  /** It sleeps, until somebody notifies it. */
  asleep = false;
  readonly told: number[] = [];

  constructor(steps: Steps<void>) {
    this.steps = steps;
    this.next = steps.next();
  }

  get ended(): boolean {
    return this.next.done === true;
  }

  get canGo(): boolean {
    return !this.ended && !this.asleep;
  }

  get calls(): boolean {
    return this.next.done !== true && this.next.value.do === "call";
  }

  goOn(told: number): void {
    this.asleep = false;
    this.told.push(told);
    this.next = this.steps.next(told);
  }
}

/** One run of both sides. @throws Error as soon as something is freed, or told, that must not be */
export class Run {
  word: number = Turn.starting;
  /** The memory of the call and its descriptor are gone. */
  freed = false;
  /** The thread has seen an order, and has not said yet that it carried it out. */
  inCall = false;
  made = 0;
  readonly ends: CallEnd[] = [];
  spurious = 0;
  timeUp = false;
  failed = false;
  stopped = false;
  readonly caller: Side;
  readonly thread: Side = new Side(serve());
  readonly #world: World;
  /** The thread may be making a call: the caller frees nothing before it has ended. */
  #mustStay = false;

  constructor(world: World) {
    this.#world = world;
    this.caller = new Side(this.#callerSteps());
  }

  *#callerSteps(): Steps<void> {
    const { calls, waitsForLast } = this.#world;
    for (let call = 1; call <= calls; call++) {
      yield* order();
      if (call === calls && !waitsForLast) break;
      const how = yield* awaitCall();
      this.ends.push(how);
      if (how !== "made") break;
      must(this.made === call, "a call that ended was made");
    }
    this.#mustStay = yield* end();
    if (!this.#mustStay) this.freed = true;
  }

  choices(): Choice[] {
    const { caller, thread } = this;
    const found: Choice[] = [];
    const mayWake = this.spurious < this.#world.spurious;
    // It gives its first call only to a thread that is ready.
    const isReady = caller.told.length > 0 || this.#world.calls === 0 || this.word === Turn.idle;
    if (caller.canGo && isReady) found.push("caller");
    if (caller.asleep && mayWake) found.push("caller wakes up early");
    if (caller.asleep && this.#world.timeUp) found.push("caller's time is up");
    if (this.stopped) return found;
    if (thread.canGo) found.push("thread");
    if (thread.canGo && this.#world.stops) found.push("thread stops");
    if (thread.calls && this.#world.fails) found.push("thread fails");
    if (thread.asleep && mayWake) found.push("thread wakes up early");
    return found;
  }

  take(choice: Choice): void {
    if (choice === "thread stops") this.stopped = true;
    else if (choice === "caller") this.#go(this.caller, this.thread);
    else if (choice === "thread") this.#go(this.thread, this.caller);
    else if (choice === "thread fails") {
      this.failed = true;
      this.thread.goOn(NOT_MADE);
    } else if (choice === "caller's time is up") {
      this.timeUp = true;
      this.caller.goOn(TIME_UP);
    } else {
      this.spurious++;
      (choice === "caller wakes up early" ? this.caller : this.thread).goOn(IN_TIME);
    }
    // The thread's last word, which the caller hears.
    if (this.#mustStay && this.thread.ended) this.freed = true;
    must(!this.freed || !this.inCall, "nothing is freed while a call may be made");
  }

  /** What two runs that go on alike have in common. */
  get key(): string {
    const { word, caller, thread, spurious, stopped } = this;
    const sides = [caller, thread].map(({ told, asleep }) => [told, asleep]);
    return JSON.stringify([word, spurious, stopped, sides]);
  }

  #go(who: Side, other: Side): void {
    if (who.next.done === true) throw new Error("it has ended");
    const step = who.next.value;
    const before = this.word;
    switch (step.do) {
      case "load":
        if (who === this.thread) this.inCall = before === Turn.ordered;
        return who.goOn(before);
      case "store":
        this.word = step.value;
        return who.goOn(step.value);
      case "exchange":
        if (step.expected === undefined || step.expected === before) this.word = step.value;
        if (who === this.thread) this.inCall = false;
        return who.goOn(before);
      case "notify":
        if (other.asleep) other.goOn(IN_TIME);
        return who.goOn(0);
      case "sleep":
        // It looks at the word and lies down in one.
        if (before !== step.value) return who.goOn(IN_TIME);
        who.asleep = true;
        return undefined;
      case "call":
        must(!this.freed, "no call is made of what was freed");
        this.made++;
        return who.goOn(MADE);
      default:
        throw new Error("no such step");
    }
  }
}

/** All that can be done with at most two calls. */
export const WORLDS: readonly World[] = [0, 1, 2].flatMap((calls) =>
  Array.from({ length: 32 }, (_, bits) => ({
    calls,
    waitsForLast: (bits & 1) !== 0,
    spurious: (bits & 2) !== 0 ? 2 : 0,
    timeUp: (bits & 4) !== 0,
    stops: (bits & 8) !== 0,
    fails: (bits & 16) !== 0,
  })),
);

/** What must hold of a run that cannot go on. @throws Error */
export function checkEnd(world: World, run: Run): void {
  const { ends, thread, caller, freed, failed, timeUp, stopped } = run;
  // Nobody sleeps for ever, but who waits without a clock for a thread that has stopped.
  if (!stopped) must(thread.ended && caller.ended && freed, "both sides end, and all is freed");
  else if (world.timeUp && caller.told.length > 0) must(caller.ended, "the caller ends in time");
  must(!ends.includes("late") || timeUp, "only what takes its time is late");
  must(!ends.includes("failed") || failed, "only a call that is not made has failed");
  const isCalm = !failed && !timeUp && !stopped;
  must(!isCalm || ends.every((how) => how === "made"), "each call is made");
}
