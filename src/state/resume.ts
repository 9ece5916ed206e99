import { type FlowParts, hasGivenUfid, haveSameUfid, newFlowParts } from "../flow/parts.ts";
import type { PortNames } from "../flow/ports.ts";
import type { FlowFormat } from "../format/detect.ts";
import type { ByteSource } from "../format/source.ts";
import type { EarlierRun, LoadJournal } from "../load/load-journal.ts";
import { sameDeeds } from "../load/settle/same-flow.ts";
import { type StartOptions, startLoad } from "../load/start-load.ts";
import type { Batch } from "../netlink/batch.ts";
import type { DatapathHandle } from "../ovs/datapath.ts";
import { decodeRequest, type FlowVerb, verbOf } from "../ovs/flow-request.ts";
import { FlowTable } from "./flow-table.ts";
import type { Journal, JournalPosition } from "./journal.ts";
import { readDatapath } from "./read-table.ts";

// Continues a load that was cut: the journal says how far it got, and the kernel whether that is so.

/** What a resumed load does without, and what it must do again. */
type ResumeOptions = {
  /** How far the earlier run got; from the beginning if there was none. */
  readonly earlier?: JournalPosition | undefined;
  /** Lines among the earlier run's whose flows the kernel does not have as they should be. */
  readonly lacking?: ReadonlySet<number>;
  /** Where to record how far this run gets; nowhere if undefined. */
  readonly journal?: Journal | undefined;
};

/** Tells a load which batches an earlier run did, and records how far this one gets. */
export class Resumption implements LoadJournal {
  readonly #earlier: JournalPosition;
  readonly #lacking: ReadonlySet<number>;
  #journal: Journal | undefined;
  /** Flows of the batches begun. */
  #flows = 0;

  constructor({ earlier, lacking = new Set(), journal }: ResumeOptions) {
    this.#earlier = earlier ?? { settled: 0, sent: 0 };
    this.#lacking = lacking;
    this.#journal = journal;
  }

  begin(batch: Batch): EarlierRun {
    const start = this.#flows;
    const end = start + batch.count;
    this.#flows = end;
    const { settled, sent } = this.#earlier;
    if (end <= settled && !this.#lacksAny(batch)) return "applied";
    const position = { settled: Math.max(start, settled), sent: Math.max(end, sent) };
    // It is a hint: a load does not end for want of it.
    if (this.#journal?.write(position) === false) this.#journal = undefined;
    return start < sent ? "perhaps" : "never";
  }

  #lacksAny({ tags, count }: Batch): boolean {
    if (this.#lacking.size === 0) return false;
    for (let i = 0; i < count; i++) if (this.#lacking.has(tags[i] ?? 0)) return true;
    return false;
  }
}

/** An input, and how it is loaded. */
type ResumedInput = {
  readonly source: ByteSource;
  readonly format: FlowFormat | "auto";
  readonly ports: PortNames;
  readonly told: Pick<StartOptions, "mode" | "owner" | "ufid">;
};

/**
 * Compares what an earlier run did with the flows of the datapath. Of lines about one flow, the
 * last one counts.
 * @param settled how many flows of the input the earlier run did
 * @returns the lines to be sent again, since the datapath does not have their flows as they should be
 * @throws UnreadableInputError; MillraceError `UNSOUND_DUMP`
 */
export async function lackingLines(
  datapath: DatapathHandle,
  settled: number,
  { source, format, ports, told }: ResumedInput,
): Promise<ReadonlySet<number>> {
  const journal = new LastOfEach(settled);
  await startLoad("dry", { source, format }, { ...told, ports, journal });
  return journal.lacking(readDatapath(datapath));
}

/** The last line about each flow, of the first flows of an input. */
class LastOfEach implements LoadJournal {
  /** Flows of the input that are still to be taken. */
  #left: number;
  readonly #table = new FlowTable();
  /** For each flow of the table. */
  readonly #lines: number[] = [];
  readonly #verbs: FlowVerb[] = [];
  /** Lines whose flows cannot be looked for. */
  readonly #unreadable: number[] = [];
  /** All lines about flows that several lines are about. */
  readonly #repeated: number[] = [];
  readonly #view = newFlowParts();

  constructor(flows: number) {
    this.#left = flows;
  }

  begin(batch: Batch): EarlierRun {
    const count = Math.min(batch.count, this.#left);
    this.#left -= count;
    for (let i = 0; i < count; i++) this.#take(batch, i);
    return "never";
  }

  #take(batch: Batch, index: number): void {
    decodeRequest(batch, index, this.#view);
    const verb = verbOf(batch, index);
    // A change without actions leaves those that an earlier line gave.
    if (verb === "modify" && this.#view.actions.start < 0) return;
    const line = batch.tags[index] ?? 0;
    const { size } = this.#table;
    const number = this.#table.put(this.#view);
    if (number < 0) {
      this.#unreadable.push(line);
      return;
    }
    if (number < size) this.#repeated.push(this.#lines[number] ?? 0, line);
    this.#lines[number] = line;
    this.#verbs[number] = verb;
  }

  /**
   * The lines whose flows `held` does not have as they should be. A batch that is sent again for one
   * of them may have an earlier line about another flow: all lines about that are sent again, too,
   * so that its last one counts.
   */
  lacking(held: FlowTable): ReadonlySet<number> {
    const lacking = new Set(this.#unreadable);
    const wanted = newFlowParts();
    const found = newFlowParts();
    for (let index = 0; index < this.#table.size; index++) {
      const number = held.numberOf(this.#table, index);
      const isThere = number >= 0;
      const isDone =
        this.#verbs[index] === "delete"
          ? !isThere
          : isThere && isAsWanted(this.#table.read(index, wanted), held.read(number, found));
      if (!isDone) lacking.add(this.#lines[index] ?? 0);
    }
    if (lacking.size > 0) for (const line of this.#repeated) lacking.add(line);
    return lacking;
  }
}

function isAsWanted(wanted: FlowParts, held: FlowParts): boolean {
  return sameDeeds(wanted, held) && (!hasGivenUfid(wanted) || haveSameUfid(wanted, held));
}
