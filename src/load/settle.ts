import type { KernelFeatures } from "../flow/rules/features.ts";
import { type Batch, MessageState } from "../netlink/batch.ts";
import { featuresOf } from "../ovs/features.ts";
import { type FlowView, newFlowView } from "../ovs/flow.ts";
import { type FlowVerb, verbOf } from "../ovs/flow-message.ts";
import { EEXIST, EIO, ENODEV, ENOENT, EPERM, errnoName } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import { explainRejection } from "./explain.ts";
import type { Account, OutcomeState } from "./outcome.ts";
import type { OverlapSearch } from "./overlap.ts";
import { decodeSent, pointedText, reconcile } from "./reconcile.ts";
import { isOvertaken, replaceHeld } from "./replace.ts";
import type { LoadTarget } from "./sender.ts";

/** A flow that another one is in the way of. */
type Met = {
  readonly index: number;
  readonly errno: number;
  readonly reason: string;
  readonly sent: FlowView;
};

function isMet(verb: FlowVerb, errno: number): boolean {
  return (verb === "put" && errno === ENOENT) || (verb === "add" && errno === EEXIST);
}

/** Finds out what became of the messages of a batch that were not simply accepted. */
export class Settler {
  readonly #target: LoadTarget;
  readonly #account: Account;
  readonly #tolerate: ReadonlySet<number>;
  readonly #features: () => KernelFeatures;
  readonly #overlaps: OverlapSearch | undefined;
  /** Flows of the batch that were refused for another one that is there. */
  readonly #met: Met[] = [];

  /**
   * @param tolerate errnos that count as applied: ENOENT of a delete; EEXIST only where the flow that
   *   is there is the same flow, actions included
   * @param overlaps names the flow that another one was refused for; it takes a dump
   */
  constructor(
    target: LoadTarget,
    account: Account,
    tolerate: ReadonlySet<number>,
    overlaps?: OverlapSearch,
  ) {
    this.#target = target;
    this.#account = account;
    this.#tolerate = tolerate;
    this.#overlaps = overlaps;
    this.#features = () => featuresOf(target.channel, target.datapath);
  }

  /** @returns the errno after which no flow will be taken any more, or 0 */
  settle(batch: Batch): number {
    for (let i = 0; i < batch.count; i++) {
      const state = batch.states[i];
      if (state !== MessageState.accepted) this.#settleOne(batch, i, state);
    }
    this.#reportMet(batch);
    const errnos = batch.errnos.subarray(0, batch.count);
    if (errnos.includes(ENODEV)) return ENODEV;
    return errnos.includes(EPERM) ? EPERM : 0;
  }

  #settleOne(batch: Batch, index: number, state: number | undefined): void {
    const errno = batch.errnos[index] ?? 0;
    const sent = decodeSent(batch, index, newFlowView());
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
    const reason =
      state === MessageState.unsent
        ? `it could not be sent: ${errnoName(errno)}`
        : explainRejection(verbOf(batch, index), errno, sent, this.#features);
    if (this.#overlaps !== undefined && isMet(verbOf(batch, index), errno)) {
      this.#met.push({ index, errno, reason, sent });
    } else {
      this.#report(batch, index, "rejected", errno, reason, sent);
    }
  }

  // All of a batch at once: a dump may be long.
  #reportMet(batch: Batch): void {
    if (this.#met.length === 0) return;
    const others = this.#overlaps?.find(this.#met.map(({ sent }) => sent)) ?? [];
    for (const [i, { index, errno, reason, sent }] of this.#met.entries()) {
      const other = others[i];
      const named = other === undefined ? reason : `${reason}: ${other}`;
      this.#report(batch, index, "rejected", errno, named, sent);
    }
    this.#met.length = 0;
  }

  // What is there is as asked for, or it is not: EIO stands for that.
  #settleLost(batch: Batch, index: number, sent: FlowView): void {
    const state = this.#readBack(sent);
    const wanted = verbOf(batch, index) === "delete" ? "absent" : "present";
    const reason =
      state === "unknown"
        ? "its reply was lost, and so was the one when it was read back"
        : `its reply was lost; read back, it is ${state}`;
    this.#report(batch, index, state, state === wanted ? 0 : EIO, reason, sent);
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
    return replaceHeld(this.#target.channel, this.#target.datapath, sent);
  }

  #readBack(sent: FlowView): "present" | "absent" | "unknown" {
    try {
      return reconcile(this.#target.channel, this.#target.datapath, sent);
    } catch (error) {
      if (error instanceof MillraceError) return "unknown";
      throw error;
    }
  }

  #report(
    batch: Batch,
    index: number,
    state: Exclude<OutcomeState, "applied" | "refused">,
    errno: number,
    reason: string,
    sent: FlowView,
  ): void {
    this.#account.exception({
      line: batch.tags[index] ?? 0,
      column: 1,
      state,
      errno,
      code: state === "rejected" ? errnoName(errno) : "LOST_REPLY",
      reason,
      ...pointedText(reason, sent),
    });
  }
}
