import type { KernelFeatures } from "../../flow/rules/features.ts";
import { type Batch, MessageState } from "../../netlink/batch.ts";
import { NetlinkError } from "../../netlink/errors.ts";
import { featuresOf } from "../../ovs/features.ts";
import { type FlowParts, newFlowParts } from "../../flow/parts.ts";
import { decodeRequest, familyOf, type FlowVerb, verbOf } from "../../ovs/flow-request.ts";
import { EEXIST, EIO, ENODEV, ENOENT, EPERM, ESTALE, errnoName } from "../../sys/errno.ts";
import { MillraceError } from "../../sys/errors.ts";
import { OVS_FLOW_FAMILY } from "../../uapi/openvswitch.ts";
import { heldByMatch } from "./elsewhere.ts";
import { type ExecuteOptions, Executor, ReadBack } from "./executor.ts";
import { otherFlowReason } from "./held-flows.ts";
import { explainRejection, type Rejection } from "./explain.ts";
import { fullOfMasks } from "./mask-limit.ts";
import type { Account } from "../account.ts";
import { outcomeOfLost } from "../outcome.ts";
import { OverlapSearch } from "./overlap.ts";
import type { SendConnection, LoadTarget } from "../send/connection.ts";
import { pointedText } from "../request-text.ts";

/**
 * Failures between two readings of the clock: each may take a few system calls, and reading the
 * clock may be one.
 */
const FAILURES_A_LOOK = 16;

/** Options of a settler. */
type SettleOptions = Omit<ExecuteOptions, "tolerateExisting" | "onFound"> & {
  /**
   * Errnos that count as applied: ENOENT of a delete if the flow does not exist under any identity;
   * EEXIST only if the existing flow is the same, including actions.
   */
  readonly tolerate: ReadonlySet<number>;
};

/**
 * Carries out messages that cannot simply be sent, and accounts for every message of a batch. It
 * remembers its position, so that thousands of messages can be settled in time slices.
 */
export class Settler {
  /** The errno after which the kernel takes no more flows, or 0. */
  fatalErrno = 0;
  readonly #executor: Executor;
  readonly #target: LoadTarget;
  readonly #account: Account;
  readonly #tolerate: ReadonlySet<number>;
  readonly #features: () => KernelFeatures;
  readonly #masks: () => number | undefined;
  readonly #overlaps: OverlapSearch;
  readonly #view = newFlowParts();
  /**
   * For the current batch: deletes that found nothing, with a description of the flows that match
   * the same packets.
   */
  #elsewhere: ReadonlyMap<number, string> = new Map();
  #batch: Batch | undefined;
  /** The next message to account for; -1 before accounting begins. */
  #next = -1;
  #abandoned = false;

  constructor(
    target: LoadTarget,
    connection: SendConnection,
    account: Account,
    options: SettleOptions,
  ) {
    this.#target = target;
    this.#account = account;
    this.#tolerate = options.tolerate;
    const found = account.table?.found;
    this.#executor = new Executor(target, connection, {
      ...options,
      tolerateExisting: options.tolerate.has(EEXIST),
      ...(found === undefined ? {} : { onFound: (line) => found.add(line) }),
    });
    this.#overlaps = new OverlapSearch(target);
    this.#features = () => featuresOf(target.datapath);
    this.#masks = () => fullOfMasks(target.datapath);
  }

  /** Whether a batch is partly settled. */
  get busy(): boolean {
    return this.#batch !== undefined;
  }

  /**
   * Whether to look up the next batch before sending it, because most flows of the last one already
   * existed.
   */
  get looksFirst(): boolean {
    return this.#executor.lookFirst;
  }

  /** Flows read from the kernel to settle others. */
  get reads(): number {
    return this.#executor.held.asked;
  }

  /** Takes a batch. @param sent whether its messages were sent and have their states */
  begin(batch: Batch, sent: boolean): void {
    this.#batch = batch;
    this.#next = -1;
    this.#executor.begin(batch, sent);
  }

  /**
   * Continues the batch.
   * @param due when to pause, a time of performance.now(); never for Infinity
   * @returns false if it paused
   */
  settle(due: number): boolean {
    const batch = this.#batch;
    if (batch === undefined) return true;
    if (this.#next < 0) {
      if (!this.#executor.go(due)) return false;
      this.#account.applied(batch.count - batch.failures);
      this.#markStale(batch);
      this.#elsewhere = this.#findElsewhere(batch);
      this.#next = 0;
    }
    let failures = 0;
    for (let i = this.#next; i < batch.count; i++) {
      if (batch.states[i] === MessageState.accepted) continue;
      this.#tell(batch, i);
      this.#next = i + 1;
      if (++failures % FAILURES_A_LOOK !== 0 || due === Number.POSITIVE_INFINITY) continue;
      if (performance.now() >= due) return false;
    }
    const errnos = batch.errnos.subarray(0, batch.count);
    if (errnos.includes(ENODEV)) this.fatalErrno = ENODEV;
    else if (errnos.includes(EPERM)) this.fatalErrno = EPERM;
    else if (errnos.includes(ESTALE)) this.fatalErrno = ESTALE;
    this.#batch = undefined;
    return true;
  }

  /** Stops asking the kernel: from now on, a flow whose reply was lost stays unknown. */
  abandon(): void {
    this.#abandoned = true;
    this.#executor.abandon();
  }

  // ENOENT from a missing family says nothing about a flow, and a flow unreadable for that reason
  // is EIO: both become ESTALE. The batch is not sent again: the datapath is gone with the module.
  // If that cannot be asked, the outcome is unknown; so it is of a flow whose first reply was lost,
  // and whose follow-up met the missing family: the first request may have been carried out.
  #markStale(batch: Batch): void {
    const errnos = batch.errnos.subarray(0, batch.count);
    const isDoubtful = (errno: number): boolean => errno === ENOENT || errno === EIO;
    if (this.#abandoned || !errnos.some(isDoubtful)) return;
    const isMoved = this.#familyMoved(batch);
    if (isMoved === false) return;
    for (const [i, errno] of errnos.entries()) {
      if (!isDoubtful(errno)) continue;
      if (isMoved === true) batch.errnos[i] = ESTALE;
      if (isMoved === true && batch.states[i] !== MessageState.lost) {
        batch.states[i] = MessageState.rejected;
      } else {
        batch.states[i] = MessageState.lost;
        this.#executor.readBack[i] = ReadBack.unknown;
      }
    }
  }

  // Undefined if it cannot be asked.
  #familyMoved(batch: Batch): boolean | undefined {
    try {
      return this.#target.datapath.channel.familyMoved(OVS_FLOW_FAMILY, familyOf(batch));
    } catch (error) {
      if (error instanceof MillraceError) return undefined;
      throw error;
    }
  }

  // Deletes that would be tolerated, but whose flows exist under another identity, or may.
  #findElsewhere(batch: Batch): ReadonlyMap<number, string> {
    const deletes: number[] = [];
    for (let i = 0; i < batch.count && this.#tolerate.has(ENOENT); i++) {
      if (batch.states[i] !== MessageState.rejected || batch.errnos[i] !== ENOENT) continue;
      if (verbOf(batch, i) === "delete") deletes.push(i);
    }
    if (deletes.length === 0 || this.#abandoned) return new Map();
    try {
      return heldByMatch(this.#target, batch, deletes);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#noteEnd(error);
      const reason = `there is no such flow, and whether it exists under another identity could not be read: ${error.message}`;
      return new Map(deletes.map((index) => [index, reason]));
    }
  }

  #tell(batch: Batch, index: number): void {
    const sent = decodeRequest(batch, index, this.#view);
    const state = batch.states[index];
    const errno = batch.errnos[index] ?? 0;
    if (state === MessageState.lost) {
      this.#tellLost(batch, index, sent);
      return;
    }
    const verb = verbOf(batch, index);
    if (state === MessageState.rejected && this.#isTolerated(index, verb, errno)) {
      this.#account.applied(1);
      return;
    }
    const outcome = state === MessageState.unsent && errno === 0 ? "refused" : "rejected";
    this.#account.exception(batch.tags[index] ?? 0, outcome, errno, () => {
      const why =
        state === MessageState.unsent ? unsent(errno) : this.#explain(index, verb, errno, sent);
      return { ...why, ...pointedText(why.broken, sent) };
    });
  }

  // The kernel's reason in words. Looking for it may fail, for example because the datapath is gone
  // by now: that must not cost the account.
  #explain(index: number, verb: FlowVerb, errno: number, sent: FlowParts): Rejection {
    try {
      return this.#lookForReason(index, verb, errno, sent);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#noteEnd(error);
      return explainRejection(verb, errno, { sent });
    }
  }

  // The load ends here if the datapath went meanwhile, although its flows did not say so.
  #noteEnd(error: MillraceError): void {
    if (error instanceof NetlinkError && error.errno === ENODEV) this.fatalErrno = ENODEV;
    if (error.code === "NO_MODULE") this.fatalErrno = ESTALE;
  }

  // As above, with the flow that is in the way.
  #lookForReason(index: number, verb: FlowVerb, errno: number, sent: FlowParts): Rejection {
    const why = explainRejection(verb, errno, {
      sent,
      features: this.#features,
      masks: this.#masks,
    });
    const held = errno === EEXIST || errno === ENOENT ? this.#nameOf(index) : undefined;
    if (held !== undefined) {
      return { code: why.code, reason: otherFlowReason(sent.ufid.start >= 0, held) };
    }
    const elsewhere = this.#elsewhere.get(index);
    if (elsewhere !== undefined) {
      return { code: why.code, reason: elsewhere };
    }
    return this.#abandoned ? why : this.#overlaps.nameIn(why, verb, errno, sent);
  }

  #nameOf(index: number): string | undefined {
    return this.#executor.held.others.get(index);
  }

  #tellLost(batch: Batch, index: number, sent: FlowParts): void {
    const found = this.#executor.readBack[index];
    const state =
      found === ReadBack.present ? "present" : found === ReadBack.absent ? "absent" : "unknown";
    const { errno } = outcomeOfLost(verbOf(batch, index), state);
    const abandoned = this.#abandoned;
    this.#account.exception(batch.tags[index] ?? 0, state, errno, () => {
      const reason = abandoned
        ? "its reply was lost, and the load was ended before it was read back"
        : state === "unknown"
          ? "its reply was lost, and so was the one when it was read back"
          : `its reply was lost; read back, it is ${state}`;
      return { code: "LOST_REPLY", reason, ...pointedText(undefined, sent) };
    });
  }

  #isTolerated(index: number, verb: FlowVerb, errno: number): boolean {
    return (
      errno === ENOENT &&
      verb === "delete" &&
      this.#tolerate.has(ENOENT) &&
      !this.#abandoned &&
      !this.#elsewhere.has(index)
    );
  }
}

function unsent(errno: number): Rejection {
  if (errno === 0) return { code: "INTERRUPTED", reason: "the load was ended before it was sent" };
  const code = errnoName(errno);
  return { code, reason: `it could not be sent: ${code}` };
}
