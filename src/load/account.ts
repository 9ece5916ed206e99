import type { QuotedLine } from "../flow/rules/quote.ts";
import type { Refusal } from "../flow/rules/refusal.ts";
import type { FlowRefusal } from "../format/refusals.ts";
import type { Batch } from "../netlink/batch.ts";
import { type FlowException, hasFailed, type Outcome, type OutcomeCounts } from "./outcome.ts";
import type { OutcomeTable } from "./outcome-table.ts";

/** Why a flow was not simply applied, and the rule that it breaks, if any. */
type Described = Pick<FlowException, "code" | "reason" | "text" | "caret" | "missing"> & {
  readonly broken?: Refusal;
};

/** How many exceptions an account keeps; `onException` gets all of them. */
const EXCEPTIONS_KEPT = 100;

/**
 * Keeps the account of a load: always counts, and on request reports each exception and fills a
 * table.
 */
export class Account {
  readonly firstExceptions: FlowException[] = [];
  readonly counts: OutcomeCounts = {
    encoded: 0,
    applied: 0,
    rejected: 0,
    refused: 0,
    reconciled: { present: 0, absent: 0, contrary: 0 },
    unknown: 0,
  };
  readonly table: OutcomeTable | undefined;
  /** Flows that did not end as requested. */
  failures = 0;
  /** Quotes the line from which a flow came; set by the load that reads the lines. */
  quote: ((line: number, broken: Refusal | undefined) => QuotedLine | undefined) | undefined;
  /** Refusals of the batch in flight, to report when the flows before them are settled. */
  readonly #waiting: FlowRefusal[] = [];
  readonly #onException: ((exception: FlowException) => void) | undefined;

  constructor(onException?: (exception: FlowException) => void, table?: OutcomeTable) {
    this.#onException = onException;
    this.table = table;
  }

  /** Flows whose outcome is known. */
  get settled(): number {
    const { applied, encoded, rejected, refused, unknown, reconciled } = this.counts;
    const { present, absent } = reconciled;
    return applied + encoded + rejected + refused + unknown + present + absent;
  }

  /**
   * Takes a batch that is about to be sent, and the refusals of the same part of the input. Its
   * flows count as applied in the table until another outcome is known.
   */
  take({ tags, count }: Batch, refusals: readonly FlowRefusal[]): void {
    for (const _ of refusals) this.#count({ state: "refused", errno: 0 });
    this.#waiting.push(...refusals);
    const { table } = this;
    if (table === undefined) return;
    if (refusals.length === 0 && areConsecutive(tags, count)) {
      table.addApplied(tags[0] ?? 0, count);
      return;
    }
    let refused = 0;
    for (let i = 0; i < count; i++) {
      const line = tags[i] ?? 0;
      for (; (refusals[refused]?.line ?? line) < line; refused++) {
        table.add(refusals[refused]?.line ?? 0, "refused");
      }
      table.add(line, "applied");
    }
    for (; refused < refusals.length; refused++) table.add(refusals[refused]?.line ?? 0, "refused");
  }

  applied(count: number): void {
    this.counts.applied += count;
  }

  /**
   * Reports a sent flow that was not simply applied.
   * @param describe called only if the description is needed, since words cost more than the flow
   */
  exception(
    line: number,
    state: FlowException["state"],
    errno: number,
    describe: () => Described,
  ): void {
    this.tellRefusals(line);
    this.#count({ state, errno });
    this.table?.set(line, state, errno);
    this.#tell(() => {
      const { broken, text, caret, ...why } = describe();
      const shown = caret === undefined ? { text } : { text, caret };
      const quoted = this.quote?.(line, broken) ?? { column: 1, ...shown };
      return { line, state, errno, ...why, ...quoted };
    });
  }

  /**
   * Reports the waiting refusals of lines before `line`; all of them by default, when all flows so
   * far are settled.
   */
  tellRefusals(line: number = Number.POSITIVE_INFINITY): void {
    if (this.#waiting.length === 0) return;
    const later = this.#waiting.findIndex((refusal) => refusal.line >= line);
    const due = this.#waiting.splice(0, later < 0 ? this.#waiting.length : later);
    for (const refusal of due) this.#tell(() => ({ ...refusal, state: "refused", errno: 0 }));
  }

  #tell(describe: () => FlowException): void {
    const kept = this.firstExceptions.length < EXCEPTIONS_KEPT;
    if (!kept && this.#onException === undefined) return;
    const exception = describe();
    if (kept) this.firstExceptions.push(exception);
    this.#onException?.(exception);
  }

  #count(outcome: Outcome): void {
    const { state } = outcome;
    if (hasFailed(outcome)) this.failures++;
    if (state !== "present" && state !== "absent") {
      this.counts[state]++;
      return;
    }
    this.counts.reconciled[state]++;
    if (hasFailed(outcome)) this.counts.reconciled.contrary++;
  }
}

// Whether the lines are consecutive. Those of a flow set need not ascend, so first and last do not
// suffice.
function areConsecutive(tags: Float64Array, count: number): boolean {
  const first = tags[0] ?? 0;
  for (let i = 1; i < count; i++) if (tags[i]! !== first + i) return false;
  return true;
}
