import {
  EAGAIN,
  EEXIST,
  EINTR,
  EMSGSIZE,
  ENOBUFS,
  ENODEV,
  ENOENT,
  ENOMEM,
} from "../../src/sys/errno.ts";
import type { Faults } from "../../src/testing/index.ts";
import type { Random } from "../../src/testing/random.ts";
import { align } from "../../src/netlink/align.ts";
import { errorMessage, type Request } from "../../src/testing/wire.ts";
import { NLM_F_ACK, NLMSG_ERROR } from "../../src/uapi/netlink.ts";
import { OVS_FLOW_CMD_GET, OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";
import { Crash } from "./violation.ts";
import type { World } from "./world.ts";

/** What can go wrong in a step, by name. */
export const FAULTS = [
  "interrupted",
  "no memory to send",
  "too long",
  "partial sends",
  "partial reads",
  "no memory for a reply",
  "no memory for a change's reply",
  "refused",
  "short pieces",
  "rehash",
  "interrupted dumps",
  "small buffers",
  "tail ignored",
  "lost final ack",
  "doubled replies",
  "foreign replies",
  "reordered replies",
  "cut replies",
  "second writer",
  "datapath deleted",
  "module reloaded",
  "crash",
  "clock",
] as const;
export type Fault = (typeof FAULTS)[number];

/** Those by which a request or its reply is lost, while what is there can be read. */
export const LOSSES: readonly Fault[] = [
  "no memory for a change's reply",
  "refused",
  "tail ignored",
  "lost final ack",
];

/** Those that change nothing of what becomes of a load. */
const HARMLESS: ReadonlySet<Fault> = new Set<Fault>([
  "interrupted",
  "partial sends",
  "partial reads",
  "doubled replies",
  "foreign replies",
  "reordered replies",
  "short pieces",
  "rehash",
  "clock",
]);

/** With these faults no reply to a read is lost. */
const READABLE: ReadonlySet<Fault> = new Set<Fault>([
  "small buffers",
  "no memory for a change's reply",
]);

/** With these faults replies are lost, and what became of a flow can be read back all the same. */
export function canReadBack(faults: readonly Fault[]): boolean {
  return faults.every((fault) => HARMLESS.has(fault) || READABLE.has(fault));
}

/** A load with these faults ends as one without any. */
export function areHarmless(faults: readonly Fault[]): boolean {
  return faults.every((fault) => HARMLESS.has(fault));
}

/** A dump of flows with these faults ends as one without any. */
export function areHarmlessToDumps(faults: readonly Fault[]): boolean {
  return areHarmless(faults) && !faults.includes("rehash");
}

/** A send without memory is tried more often than that. */
const SENDS_REFUSED_MOST = 3;

/** In struct nlmsghdr. */
const ERRNO_AT = 16;
const SMALL_BUFFER = 6000;
/** Behind struct nlmsghdr, in struct genlmsghdr. */
const COMMAND_AT = 16;
/** The kernel's least length of a dump's piece. */
const PIECE_BYTES = 3776;

/** What becomes of a dump whose table is hashed anew: flows come twice, are left out, or both. */
const REHASHES = ["back", "on", "shuffled"] as const;
export type Rehash = (typeof REHASHES)[number];

/** What goes wrong in a step. @param world in which another program acts, too */
export function makeFaults(kinds: readonly Fault[], random: Random, world: World): Faults {
  const isLossy = kinds.every((kind) => LOSSES.includes(kind));
  const rate = isLossy ? random.of([8, 25]) : random.of([0.5, 2, 8, 25]);
  const rare = rate / 8;
  const strikes = (kind: Fault, percent = rate): boolean =>
    kinds.includes(kind) && random.chance(percent);
  const rehashed = random.of([10, 40]);
  const way = random.of(REHASHES);
  const replies = new Replies(kinds, random, rate);
  let gone = false;
  let refused = 0;
  // A shortage passes, or it does not.
  let refusals = random.of([1, 3, Number.POSITIVE_INFINITY]);
  return {
    call: (call) => {
      const sends = call !== "recvmmsg" && call !== "poll";
      if (sends) replies.newCall(call === "sendmmsg" ? Number.POSITIVE_INFINITY : 1);
      if (strikes("interrupted")) return { errno: EINTR };
      if (sends && refused < SENDS_REFUSED_MOST && strikes("no memory to send")) {
        refused++;
        return { errno: random.of([EAGAIN, ENOBUFS, ENOMEM]) };
      }
      if (sends) refused = 0;
      if (sends && strikes("too long", rare)) return { errno: EMSGSIZE };
      if (call === "sendmmsg" && strikes("partial sends")) {
        const atMost = 1 + random.below(3);
        replies.newCall(atMost);
        return { atMost };
      }
      if (call === "recvmmsg" && strikes("partial reads")) return { atMost: 1 + random.below(3) };
      return undefined;
    },
    reach: (length) => {
      replies.onDatagram(length);
      return strikes("tail ignored") ? random.below(length) : length;
    },
    before: (request) => {
      replies.onRequest(request);
      if (kinds.includes("small buffers")) world.kernel.limitReceiveBuffers(SMALL_BUFFER);
      if (strikes("second writer", rare)) world.actAsOther(random);
      if (gone) return;
      const ends = strikes("crash", rare / 2);
      gone = ends;
      // What is closed on the way out asks the kernel, too: there it ends no second time.
      if (ends) throw new Crash("the process ends");
      if (strikes("datapath deleted", rare / 2)) world.loseDatapath();
      else if (strikes("module reloaded", rare / 2)) world.kernel.reloadModule();
      else return;
      gone = true;
    },
    refuse: (request) => {
      if (refusals === 0 || !isChange(request, world) || !strikes("refused")) return undefined;
      refusals--;
      return ENOMEM;
    },
    noMemory: (request) =>
      strikes("no memory for a reply") ||
      (isChange(request, world) && strikes("no memory for a change's reply")),
    deliver: (reply, request) => replies.deliver(reply, request),
    betweenPieces: () => {
      if (strikes("second writer", rate)) world.actAsOther(random);
      if (!gone && strikes("datapath deleted", rare)) {
        gone = true;
        world.loseDatapath();
      }
      return strikes("rehash", rehashed) ? world.rehash(random, way) : 0;
    },
    interrupts: () => {
      const interrupted = strikes("interrupted dumps");
      if (interrupted) world.interruptedPieces++;
      return interrupted;
    },
    pieceBytes: () =>
      kinds.includes("short pieces") || kinds.includes("rehash") ? PIECE_BYTES : undefined,
  };
}

/** Whether a request is to change flows. */
function isChange({ type, bytes }: Request, { kernel }: World): boolean {
  return type === kernel.families.idOf(OVS_FLOW_FAMILY) && bytes[COMMAND_AT] !== OVS_FLOW_CMD_GET;
}

/** What becomes of replies. */
class Replies {
  readonly #kinds: readonly Fault[];
  readonly #random: Random;
  readonly #rate: number;
  #first = -1;
  /** Datagrams that the call may still send, and bytes of the last one that were not carried out. */
  #datagramsLeft = 0;
  #bytesLeft = 0;
  /** Replies that are held back, by the port id of their socket. */
  readonly #kept = new Map<number, Uint8Array>();

  constructor(kinds: readonly Fault[], random: Random, rate: number) {
    this.#kinds = kinds;
    this.#random = random;
    this.#rate = rate;
  }

  deliver(reply: Uint8Array, request: Request): readonly Uint8Array[] {
    const random = this.#random;
    const kept = this.#kept.get(request.portId);
    this.#kept.delete(request.portId);
    const delivered = kept === undefined ? [] : [kept];
    const view = new DataView(reply.buffer, reply.byteOffset, reply.length);
    const isError = view.getUint16(4, true) === NLMSG_ERROR;
    const isAcked = (request.flags & NLM_F_ACK) !== 0;
    if (
      isAcked &&
      isError &&
      view.getInt32(ERRNO_AT, true) === 0 &&
      this.#strikes("lost final ack")
    ) {
      return delivered;
    }
    if (isError && !isAcked && this.#strikes("reordered replies")) {
      this.#kept.set(request.portId, reply);
      return delivered;
    }
    if (this.#strikes("cut replies")) {
      return [...delivered, reply.slice(0, 1 + random.below(reply.length - 1))];
    }
    if (this.#strikes("doubled replies")) return [...delivered, reply, reply];
    if (this.#strikes("foreign replies")) return [...delivered, this.#foreign(request), reply];
    // Behind the final ack nobody reads on.
    return isAcked ? [...delivered, reply] : [reply, ...delivered];
  }

  /** So many datagrams are sent at most: what is answered to earlier requests is stale from here on. */
  newCall(datagrams: number): void {
    this.#first = -1;
    this.#datagramsLeft = datagrams;
  }

  /** Is told each datagram. */
  onDatagram(bytes: number): void {
    this.#datagramsLeft--;
    this.#bytesLeft = bytes;
  }

  /** Is told each request. */
  onRequest({ sequence, bytes }: Request): void {
    if (this.#first < 0) this.#first = sequence;
    this.#bytesLeft -= align(bytes.length);
  }

  // A reply to a request of long ago, to the one before those that are answered now or behind them, or to none yet:
  // any error.
  #foreign(request: Request): Uint8Array {
    const random = this.#random;
    const errno = random.of([0, EEXIST, ENOENT, ENOENT, ENODEV]);
    // Behind the last request of a call come those that are to be sent next. Of reads nobody reads the last reply, and
    // what is before it would be there for them.
    const isLast = this.#datagramsLeft === 0 && this.#bytesLeft === 0;
    if (isLast && request.bytes[COMMAND_AT] !== OVS_FLOW_CMD_GET && random.chance(30)) {
      return errorMessage({ ...request, sequence: request.sequence + 1 + random.below(3) }, errno);
    }
    // Where the kernel ignores what was sent first, what is before the first request was sent with it.
    const near = this.#kinds.includes("tail ignored") ? 5000 : 1 + random.below(3);
    const far = random.chance(80) ? near : random.of([5000, 1 << 30, -5000, -100_000]);
    const sequence = (Math.max(0, this.#first) - far) >>> 0;
    return errorMessage({ ...request, sequence }, errno);
  }

  #strikes(kind: Fault): boolean {
    return this.#kinds.includes(kind) && this.#random.chance(this.#rate);
  }
}
