import { Batch } from "../netlink/batch.ts";
import { decodeRequest, type FlowVerb, verbOf } from "../ovs/flow-request.ts";
import { FlowRequests } from "../ovs/flow-requests.ts";
import { type FlowParts, newFlowParts } from "../flow/parts.ts";
import type { Account } from "./account.ts";
import type { FlowSink } from "./flow-sink.ts";
import type { LoadJournal } from "./load-journal.ts";
import { type Histogram, NO_LATENCIES } from "./report.ts";
import { pointedText } from "./request-text.ts";
import { FlowJudge } from "../flow/shape/flow-judge.ts";

// The target of a dry run: flows are encoded, and nothing is sent.

const MESSAGES = 1024;
const ARENA_BYTES = 256 << 10;

/**
 * Called with each valid flow as it would be sent, its verb and its line; the bytes are valid until
 * it returns.
 */
export type OnFlow = (flow: FlowParts, verb: FlowVerb, line: number) => void;

/** Takes flows as a kernel would, and sends nothing: needs no datapath, privileges or module. */
export class DryRun implements FlowSink {
  readonly account: Account;
  readonly requests: FlowRequests = new FlowRequests(0, 0, new Batch(MESSAGES, ARENA_BYTES));
  readonly latency: Histogram = NO_LATENCIES;
  readonly systemCalls = 0;
  readonly reads = 0;
  readonly resumed = 0;
  readonly fatalErrno = 0;
  readonly failure = "";
  readonly senders = 1;
  readonly withoutThread = "";
  firstSendAt = 0;
  lastReplyAt = 0;
  batches = 0;
  bytes = 0;
  readonly #view = newFlowParts();
  readonly #judge = new FlowJudge();
  readonly #onFlow: OnFlow | undefined;
  readonly #journal: LoadJournal | undefined;

  constructor(account: Account, onFlow?: OnFlow, journal?: LoadJournal) {
    this.account = account;
    this.#onFlow = onFlow;
    this.#journal = journal;
  }

  send({ batch }: FlowRequests): boolean {
    if (this.firstSendAt === 0) this.firstSendAt = performance.now();
    this.batches++;
    this.bytes += batch.bytes;
    this.#journal?.begin(batch);
    for (let i = 0; i < batch.count; i++) this.#take(batch, i);
    batch.clear();
    this.lastReplyAt = performance.now();
    return true;
  }

  paced(): void {
    // Nothing is measured here.
  }

  abandon(): void {
    // A dry run asks nobody.
  }

  // Judges a flow as the kernel would, from the bytes that it would see.
  #take(batch: Batch, index: number): void {
    decodeRequest(batch, index, this.#view);
    const rule = this.#judge.brokenRule(this.#view);
    if (rule === undefined) {
      this.account.counts.encoded++;
      this.#onFlow?.(this.#view, verbOf(batch, index), batch.tags[index] ?? 0);
      return;
    }
    this.account.exception(batch.tags[index] ?? 0, "refused", 0, () => ({
      code: "FLOW_REFUSED",
      reason: rule.reason,
      broken: rule,
      ...pointedText(rule, this.#view),
    }));
  }

  [Symbol.dispose](): void {
    this.requests.batch.clear();
  }
}
