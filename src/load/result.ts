import { errnoName } from "../sys/errno.ts";
import { FlowSyntaxError } from "../flow/text/syntax-error.ts";
import { FlowRefusedError, type FlowRejectedError } from "../flow/rules/errors.ts";
import type { NotSupportedError } from "../sys/errors.ts";
import { type FlowException, hasFailed, type OutcomeState } from "./outcome.ts";
import type { OutcomeTable } from "./outcome-table.ts";
import { rejectionError } from "./rejection.ts";
import type { LoadReport } from "./report.ts";

/**
 * The result of a load, flow by flow, in input order. It takes five bytes and a line number per
 * flow; errors are built on demand.
 */
export class LoadResult {
  readonly report: LoadReport;
  readonly #table: OutcomeTable;
  readonly #exceptions: ReadonlyMap<number, FlowException>;

  constructor(report: LoadReport, table: OutcomeTable) {
    this.report = report;
    this.#table = table;
    this.#exceptions = new Map(report.errors.map((found) => [found.line, found]));
  }

  /** Flows in the input; comments and blank lines do not count. */
  get length(): number {
    return this.#table.count;
  }

  get applied(): number {
    return this.report.applied;
  }

  get rejected(): number {
    return this.report.rejected;
  }

  get refused(): number {
    return this.report.refused;
  }

  /** The outcome of flow `index`. */
  stateOf(index: number): OutcomeState {
    return this.#table.stateOf(index);
  }

  /** The line of flow `index`; for flows from a script its number, from 1. */
  lineOf(index: number): number {
    return this.#table.lineOf(index);
  }

  /**
   * Why flow `index` was not applied; undefined if it was. Only the first hundred have a
   * description. It is the error that `Datapath.put` throws for the same flow: `FlowSyntaxError`
   * for text outside the language, `NotSupportedError` for a feature that this kernel lacks,
   * `FlowRejectedError` for a flow that it does not take.
   */
  errorOf(
    index: number,
  ): FlowSyntaxError | FlowRejectedError | FlowRefusedError | NotSupportedError | undefined {
    const state = this.stateOf(index);
    const errno = this.#table.errnoOf(index);
    if (!hasFailed({ state, errno })) return undefined;
    const line = this.lineOf(index);
    const known = this.#exceptions.get(line);
    const why = known?.reason ?? (errno === 0 ? state : `${state} with ${errnoName(errno)}`);
    const where = `line ${line}`;
    const { text = "", caret = 0, column = 1, code, syntax, missing } = known ?? {};
    if (syntax !== undefined) {
      const [before, after] = [text.slice(0, caret), text.slice(caret)];
      return new FlowSyntaxError({ ...syntax, code, line, column, before, after });
    }
    if (state === "refused")
      return new FlowRefusedError({ rule: code ?? "", reason: `${where}: ${why}` });
    return rejectionError({ errno, reason: why, text, missing, where });
  }
}
