import { startLoadSync } from "../../src/load/start-load.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { EBADF } from "../../src/sys/errno.ts";
import { MSG_DONTWAIT } from "../../src/sys/libc.ts";
import type { CallEnd } from "../../src/sys/hand-over.ts";
import type { CallMaker } from "../../src/sys/send-thread.ts";
import { recvmmsg, sendmmsg } from "../../src/sys/socket-calls.ts";
import type { Random } from "../../src/testing/random.ts";
import { keyText, textOf } from "../load/truth.ts";
import { checkAccount, type Said } from "./account.ts";
import { areHarmless } from "./faults.ts";
import { type Line, meaningOf } from "./lines.ts";
import { kept, type Operation } from "./operation.ts";
import { must } from "./violation.ts";
import type { World } from "./world.ts";

// A load whose batches two sockets send, and a thread that makes its calls whenever the seed says.

/** One batch, or two and some. */
const LINES = [544, 1100] as const;
/** Messages that a thread is worth are 512. */
const BATCH = { messagesPerDatagram: 16, datagramsPerCall: 34 };

/**
 * When the thread makes its call: at once, in the midst of the other one's, when it is waited for, behind the load that
 * waited for it too long, or never.
 */
const MOMENTS = [
  "at once",
  "midway",
  "midway",
  "midway",
  "waited for",
  "waited for",
  "fails",
  "half",
  "late",
] as const;

/** What stands for a thread. */
class SimulatedThread implements CallMaker {
  readonly ready = true;
  readonly startFailure: string | undefined = undefined;
  sent = 0;
  received = 0;
  /** One of its calls was not made, as far as anybody knows. */
  hasFailed = false;
  /** Messages of the call that nobody waited for any more, at least; 0 if there was none. */
  late = 0;
  readonly #world: World;
  readonly #random: Random;
  #call: (() => void) | undefined;
  #end: CallEnd = "made";
  #whenEnded = (): void => {};

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  begin(fd: number, headers: number, count: number, replies: number, slots: number): void {
    const { calls } = this.#world.kernel;
    const moment = this.#random.of(MOMENTS);
    this.#end = "made";
    this.#call = () => {
      this.#call = undefined;
      // A crash in the midst of the call leaves nobody who knows what it sent.
      this.#end = "failed";
      const most = moment === "half" ? Math.ceil(count / 2) : count;
      this.sent = sendmmsg(calls, fd, headers, most);
      must(this.sent !== -EBADF, () => "a socket is closed over which a thread may still send");
      this.received = this.sent > 0 ? recvmmsg(calls, fd, replies, slots, MSG_DONTWAIT) : 0;
      this.#end = "made";
    };
    if (moment === "at once") this.#call();
    if (moment === "late") {
      this.late = (count - 1) * BATCH.messagesPerDatagram + 1;
      this.#end = "late";
    }
    if (moment === "midway") this.#world.interleave(this.#random.below(400), () => this.#call?.());
    // It may have failed before its call or behind it.
    if (moment === "fails" && this.#random.chance(30)) {
      this.hasFailed = true;
      if (this.#random.chance(50)) this.#call();
      this.#call = undefined;
      this.#end = "failed";
    }
  }

  wait(): CallEnd {
    if (this.#end !== "late") this.#call?.();
    return this.#end;
  }

  end(whenEnded: () => void = () => {}): void {
    this.#whenEnded = whenEnded;
    if (this.#end !== "late") this.finish();
  }

  /** Makes the call that is late, and ends. */
  finish(): void {
    this.#call?.();
    this.#whenEnded();
    this.#whenEnded = () => {};
  }
}

function lines(random: Random): Line[] {
  const mode = random.of(["put", "put", "add"] as const);
  const first = 1 + random.below(2) * 300;
  const length = random.of(LINES);
  // The last one would keep out the others if it came before them.
  const isLastWide = random.chance(40);
  return Array.from({ length }, (_, i): Line => {
    // Now and then one comes again.
    const number = first + (random.chance(0.2) ? random.below(length) : i);
    const isWide = isLastWide && i === length - 1;
    const src = isWide ? 0x0b00_0000 : 0x0b00_0000 + number;
    const match = { src, srcBits: isWide ? 8 : 32, dst: 0, dstBits: 0 };
    const actions = String(1 + random.below(2));
    const line = { verb: mode, match, given: undefined, actions };
    return { ...line, text: textOf(line), meaning: meaningOf(`${keyText(match)} ${actions}`) };
  });
}

/** A load by two sockets. */
export const THREADS: Operation = {
  name: "threads",
  weight: 4,
  run: async (world, step, random) => {
    const all = kept(lines(random), step);
    if (all.length === 0) return;
    world.clear();
    // Some are there already, as the lines have them or with other actions.
    const percent = random.of([0, 0, 5, 60]);
    const there = all.filter(({ match }) => match.srcBits === 32 && random.chance(percent));
    world.dp.loadSync(there.map(({ match }) => `${keyText(match)} ${1 + random.below(2)}`));
    world.begin();
    const said: Said[] = all.map(() => ({ state: "applied", errno: 0 }));
    const thread = new SimulatedThread(world, random);
    let ended = false;
    // What is foreign to the window of one socket may be in that of the other one.
    const faults = step.faults.filter((fault) => fault !== "foreign replies");
    await world.with(faults, random, () => {
      using channel = new OvsChannel(undefined, world.kernel);
      const report = startLoadSync(
        { datapath: openDatapath(channel, world.dp.name) },
        { items: all.map(({ text }) => text) },
        {
          batching: BATCH,
          senders: 2,
          startThread: () => thread,
          onException: ({ line, state, errno }) => {
            said[line - 1] = { state, errno };
          },
        },
      );
      const { applied, rejected, refused, unknown, reconciled } = report;
      const counted =
        applied + rejected + refused + unknown + reconciled.present + reconciled.absent;
      must(counted === report.lines, () => `${report.lines} lines, ${counted} accounted for`);
      for (let i = report.lines; i < all.length; i++) said[i] = { state: "refused", errno: 0 };
      ended = true;
    });
    world.interleave(0, undefined);
    thread.finish();
    const unknown = said.filter(({ state }) => state === "unknown").length;
    must(
      !ended || unknown >= thread.late,
      () => `${unknown} flows are unknown, and a thread may still send ${thread.late}`,
    );
    const isCalm = ended && areHarmless(step.faults) && !thread.hasFailed && thread.late === 0;
    // Nothing is in the way of a put.
    const isEnd = ({ state }: Said): boolean =>
      state === "applied" || (state === "rejected" && all[0]?.verb === "add");
    const odd = isCalm ? said.find((one) => !isEnd(one)) : undefined;
    must(
      odd === undefined,
      () => `a line is ${odd?.state}, though nothing was in its way and no reply was lost`,
    );
    checkAccount(world, all, ended ? said : undefined);
    if (world.state === undefined || !ended) world.restart();
    world.clear();
  },
};
