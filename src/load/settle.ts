import type { KernelFeatures } from "../flow/rules/features.ts";
import { type Batch, MessageState } from "../netlink/batch.ts";
import { featuresOf } from "../ovs/features.ts";
import { type FlowView, newFlowView } from "../ovs/flow-view.ts";
import { type FlowVerb, verbOf } from "../ovs/flow-message.ts";
import { EEXIST, EIO, ENODEV, ENOENT, EPERM, errnoName } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import { explainRejection, type Rejection } from "./explain.ts";
import { fullOfMasks } from "./mask-limit.ts";
import type { Account } from "./outcome.ts";
import { OverlapSearch } from "./overlap.ts";
import { reconcile } from "./reconcile.ts";
import { decodeSent, pointedText } from "./sent.ts";
import { isOvertaken, replaceHeld } from "./replace.ts";
import type { LoadTarget } from "./sender.ts";

/** Failures between two looks at the clock: each may take a few transactions, and a look is one too. */
const FAILURES_A_LOOK = 16;

/**
 * Finds out what became of the messages of a batch that were not simply accepted. It remembers how far
 * it is, so that thousands of them can be settled in slices of time.
 */
export class Settler {
  /** The errno after which no flow will be taken any more, or 0. */
  fatalErrno = 0;
  /** The next message to be looked at. */
  #next = 0;
  #abandoned = false;
  readonly #target: LoadTarget;
  readonly #account: Account;
  readonly #tolerate: ReadonlySet<number>;
  readonly #features: () => KernelFeatures;
  readonly #masks: () => number | undefined;
  readonly #overlaps: OverlapSearch;
  readonly #view = newFlowView();

  /**
   * @param tolerate errnos that count as applied: ENOENT of a delete; EEXIST only where the flow that
   *   is there is the same flow, actions included
   */
  constructor(target: LoadTarget, account: Account, tolerate: ReadonlySet<number>) {
    this.#target = target;
    this.#account = account;
    this.#tolerate = tolerate;
    this.#overlaps = new OverlapSearch(target);
    this.#features = () => featuresOf(target.channel, target.datapath);
    this.#masks = () => fullOfMasks(target.channel, target.datapath);
  }

  /** A batch is settled in part: the next one to be settled is the same. */
  get busy(): boolean {
    return this.#next > 0;
  }

  /**
   * Settles a batch, or goes on with it.
   * @param due when it is to pause, as performance.now() counts; never at Infinity
   * @returns false where it paused
   */
  settle(batch: Batch, due: number): boolean {
    let failures = 0;
    for (let i = this.#next; i < batch.count; i++) {
      const state = batch.states[i];
      if (state === MessageState.accepted) continue;
      this.#settleOne(batch, i, state);
      this.#next = i + 1;
      if (++failures % FAILURES_A_LOOK !== 0 || due === Number.POSITIVE_INFINITY) continue;
      if (performance.now() >= due) return false;
    }
    this.#next = 0;
    const errnos = batch.errnos.subarray(0, batch.count);
    if (errnos.includes(ENODEV)) this.fatalErrno = ENODEV;
    else if (errnos.includes(EPERM)) this.fatalErrno = EPERM;
    return true;
  }

  /** Asks the kernel no more: a flow whose reply was lost stays unknown from now on. */
  abandon(): void {
    this.#abandoned = true;
  }

  #settleOne(batch: Batch, index: number, state: number | undefined): void {
    const errno = batch.errnos[index] ?? 0;
    const sent = decodeSent(batch, index, this.#view);
    if (state === MessageState.lost) {
      this.#settleLost(batch, index, sent);
      return;
    }
    if (
      this.#isTolerated(errno, verbOf(batch, index), sent) ||
      this.#isCarriedOut(batch, index, errno, sent)
    ) {
      this.#account.applied(1);
      return;
    }
    this.#account.exception(batch.tags[index] ?? 0, "rejected", errno, () => {
      const why =
        state === MessageState.unsent
          ? unsent(errno)
          : this.#explain(verbOf(batch, index), errno, sent);
      return { ...why, ...pointedText(why.broken, sent) };
    });
  }

  // The kernel's reason in words, and the flow that is in the way.
  #explain(verb: FlowVerb, errno: number, sent: FlowView): Rejection {
    const why = explainRejection(verb, errno, sent, this.#features, this.#masks);
    return this.#abandoned ? why : this.#overlaps.nameIn(why, verb, errno, sent);
  }

  // What is there is as asked for, or it is not: EIO stands for that.
  #settleLost(batch: Batch, index: number, sent: FlowView): void {
    const state = this.#readBack(sent);
    const wanted = verbOf(batch, index) === "delete" ? "absent" : "present";
    const errno = state === wanted ? 0 : EIO;
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

  #isTolerated(errno: number, verb: FlowVerb, sent: FlowView): boolean {
    if (!this.#tolerate.has(errno)) return false;
    if (errno === ENOENT) return verb === "delete";
    if (errno !== EEXIST) return false;
    return this.#readBack(sent) === "present";
  }

  // A put of the very flow that is there.
  #isCarriedOut(batch: Batch, index: number, errno: number, sent: FlowView): boolean {
    if (errno !== ENOENT || verbOf(batch, index) !== "put") return false;
    if (isOvertaken(batch, index)) return true;
    return !this.#abandoned && replaceHeld(this.#target.channel, this.#target.datapath, sent);
  }

  #readBack(sent: FlowView): "present" | "absent" | "unknown" {
    if (this.#abandoned) return "unknown";
    try {
      return reconcile(this.#target.channel, this.#target.datapath, sent);
    } catch (error) {
      if (error instanceof MillraceError) return "unknown";
      throw error;
    }
  }
}

function unsent(errno: number): Rejection {
  const code = errnoName(errno);
  return { code, reason: `it could not be sent: ${code}` };
}
