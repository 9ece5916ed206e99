import type { LineVerb } from "../flow/line.ts";
import type { FlowParts } from "../flow/parts.ts";
import type { PortNames } from "../flow/ports.ts";
import type { ByteSource } from "../format/source.ts";
import type { FlowFormat } from "../format/detect.ts";
import { OutcomeTable } from "../load/outcome-table.ts";
import { type LoadReport, verdictOf } from "../load/report.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { type StartOptions, startLoad } from "../load/start-load.ts";
import { portNames } from "../ovs/vport.ts";
import { FlowTable } from "../state/flow-table.ts";
import { readDatapath } from "../state/read-table.ts";
import { type RolledBack, takeBack } from "../state/rollback.ts";
import { type Verification, verifyFlows } from "../state/verify.ts";
import { MillraceError } from "../sys/errors.ts";
import { UsageError } from "./exit.ts";
import { complain, writeOut } from "./output.ts";
import { agreementText, printRolledBack } from "./sync-output.ts";

// What a load does at its end: it undoes itself after a failure, or compares the datapath with its
// file.

/** What to do after a load. */
type AfterLoadOptions = {
  readonly rollback: boolean;
  readonly verify: boolean;
  /** How the file was loaded; it is read again in the same way. */
  readonly told: Pick<StartOptions, "mode" | "owner" | "ufid">;
  readonly format: FlowFormat | "auto";
};

/** What it found and did; null if not requested, or if there was no need. */
type AfterLoadReport = {
  readonly verification: Verification | null;
  readonly rolledBack: RolledBack | null;
  /** Why the datapath could not be read for that; otherwise empty. */
  readonly checkFailure: string;
};

const NOTHING: AfterLoadReport = { verification: null, rolledBack: null, checkFailure: "" };

/** Constructed before a load, and used after it. */
export class AfterLoad {
  readonly #target: LoadTarget;
  readonly #source: ByteSource;
  readonly #options: AfterLoadOptions;
  /** The ports as the load names them: they may change before its file is read again. */
  readonly #ports: PortNames;
  readonly #before: FlowTable | undefined;
  /**
   * What the load fills: which lines it took, since those of a flow set need not ascend, nor those
   * in another order.
   */
  readonly outcomes: OutcomeTable;
  #report: AfterLoadReport = NOTHING;

  /** @throws UsageError if the input cannot be read again; MillraceError `UNSOUND_DUMP` */
  constructor(target: LoadTarget, source: ByteSource, options: AfterLoadOptions) {
    if (source.reopen === undefined) {
      const option = options.rollback ? "--on-error rollback" : "--verify";
      throw new UsageError(`${option} reads its input twice: give a file, not ${source.name}`);
    }
    this.#target = target;
    this.#source = source;
    this.#options = options;
    this.#ports = portNames(target.datapath);
    this.#before = options.rollback ? readDatapath(target.datapath) : undefined;
    this.outcomes = new OutcomeTable(options.rollback ? new Set() : undefined);
  }

  /**
   * Whether the datapath was found to hold the flows of the file; undefined if it was not checked.
   */
  get isAsWanted(): boolean | undefined {
    const { verification: found, checkFailure } = this.#report;
    if (checkFailure !== "") return false;
    return found === null ? undefined : found.missing + found.different === 0;
  }

  /** Checks the result of the load, or undoes it. @returns what was found and done */
  async end(report: LoadReport): Promise<AfterLoadReport> {
    try {
      this.#report = await this.#end(report);
    } catch (error) {
      // Flows were sent: their account must not be lost.
      if (!(error instanceof MillraceError)) throw error;
      const undone = this.#before === undefined ? "" : "not taken back, or not all of it: ";
      this.#report = { ...NOTHING, checkFailure: undone + error.message };
    }
    return this.#report;
  }

  async #end(report: LoadReport): Promise<AfterLoadReport> {
    const { verify, told } = this.#options;
    const before = this.#before;
    if (before !== undefined && verdictOf(report) !== "applied") {
      return { ...NOTHING, rolledBack: await this.#takeBack(before) };
    }
    if (!verify) return NOTHING;
    const isWhole = report.ended === "complete";
    const wanted = await this.#flows((line) => isWhole || this.outcomes.indexOfLine(line) >= 0);
    const { owner = "" } = told;
    const verification = verifyFlows(this.#target.datapath, wanted, { owner });
    return { ...NOTHING, verification };
  }

  // What a load made of a flow that its reading lacks stays: what it was is unknown.
  async #takeBack(before: FlowTable): Promise<RolledBack> {
    const unread = new FlowTable();
    const touched = await this.#flows((line, flow, verb) => {
      const isFound = this.outcomes.found?.has(line) === true;
      // A delete that finds nothing sends nothing.
      if (!this.#isTouched(line) || (verb === "delete" && !isFound)) return false;
      const isUnread = isFound && before.find(flow) < 0;
      if (isUnread) unread.put(flow);
      return !isUnread;
    });
    const { owner = "" } = this.#options.told;
    const { sent, failed } = await takeBack(this.#target, before, touched, { all: true, owner });
    // An earlier line may have made it: then it is taken back like any other.
    let left = 0;
    for (let i = 0; i < unread.size; i++) if (touched.numberOf(unread, i) < 0) left++;
    return { sent, failed: failed + left };
  }

  // Whether the flow of a line may have been carried out.
  #isTouched(line: number): boolean {
    const index = this.outcomes.indexOfLine(line);
    if (index < 0) return false;
    const state = this.outcomes.stateOf(index);
    return state !== "rejected" && state !== "refused";
  }

  /** The flows of the input whose lines are meant. */
  async #flows(
    isMeant: (line: number, flow: FlowParts, verb: LineVerb) => boolean,
  ): Promise<FlowTable> {
    const source = this.#source.reopen?.();
    if (source === undefined)
      throw new UsageError(`${this.#source.name} changed while it was read`);
    const { told, format } = this.#options;
    const table = new FlowTable();
    const onFlow: StartOptions["onFlow"] = (flow, verb, line) => {
      if (isMeant(line, flow, verb)) table.put(flow);
    };
    await startLoad("dry", { source, format }, { ...told, ports: this.#ports, onFlow });
    return table;
  }

  /** Prints what was found and done. */
  print(): void {
    const { verification, rolledBack, checkFailure } = this.#report;
    if (checkFailure !== "") complain(checkFailure);
    if (verification !== null) {
      writeOut(`verified by a dump: ${agreementText(verification)}\n`);
    }
    if (rolledBack !== null) printRolledBack(rolledBack, "load");
  }
}
