import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { Batch } from "../netlink/batch.ts";
import { FlowMessages, type FlowVerb } from "../ovs/flow-requests.ts";
import { type FlowView, newFlowView } from "../ovs/flow-view.ts";
import { brokenRule } from "./settle/explain.ts";
import type { Account } from "./outcome.ts";
import { decodeSent, pointedText } from "./request-text.ts";
import type { Outlet } from "./flow-sink.ts";

const MESSAGES = 1024;
const ARENA_BYTES = 256 << 10;

/** Takes flows as a kernel would, and sends nothing: wants no datapath, no rights and no module. */
export class DryOutlet implements Outlet {
  readonly account: Account;
  readonly batchShape: Outlet["batchShape"] = { messages: MESSAGES, bytes: ARENA_BYTES };
  batch: Batch = new Batch(MESSAGES, ARENA_BYTES);
  readonly latency: RecordableHistogram = createHistogram();
  readonly systemCalls = 0;
  readonly reads = 0;
  readonly fatalErrno = 0;
  readonly failure = "";
  readonly senders = 1;
  firstSendAt = 0;
  lastReplyAt = 0;
  batches = 0;
  bytes = 0;
  readonly #messages = new FlowMessages(0, 0);
  readonly #view = newFlowView();

  readonly #onFlow: ((flow: FlowView) => void) | undefined;

  /** @param onFlow is given each flow that is valid, as it would be sent; valid until it returns */
  constructor(account: Account, onFlow?: (flow: FlowView) => void) {
    this.account = account;
    this.#onFlow = onFlow;
  }

  begin(): void {
    if (this.firstSendAt === 0) this.firstSendAt = performance.now();
    this.#messages.begin(this.batch);
  }

  commit(verb: FlowVerb, line: number): boolean {
    return this.#messages.commit(this.batch, verb, line);
  }

  commitReady(bytes: number, verb: FlowVerb, line: number): void {
    if (this.firstSendAt === 0) this.firstSendAt = performance.now();
    this.#messages.commitReady(this.batch, bytes, verb, line);
  }

  flush(): boolean {
    if (this.batch.count === 0) return true;
    this.batches++;
    this.bytes += this.batch.bytes;
    for (let i = 0; i < this.batch.count; i++) this.#judge(i);
    this.batch.clear();
    this.lastReplyAt = performance.now();
    return true;
  }

  paced(): void {
    // Nothing is measured here.
  }

  abandon(): void {
    // A dry run asks nobody: every flush is whole.
  }

  // As the kernel would, from the bytes that it would see.
  #judge(index: number): void {
    decodeSent(this.batch, index, this.#view);
    const rule = brokenRule(this.#view);
    if (rule === undefined) {
      this.account.counts.encoded++;
      this.#onFlow?.(this.#view);
      return;
    }
    this.account.exception(this.batch.tags[index] ?? 0, "refused", 0, () => ({
      code: "FLOW_REFUSED",
      reason: rule.reason,
      broken: rule,
      ...pointedText(rule, this.#view),
    }));
  }

  [Symbol.dispose](): void {
    this.batch.clear();
  }
}
