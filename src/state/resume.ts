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

/** What a resumed load does without. */
type ResumeOptions = {
  /** How far the earlier run got; undefined if there was none. */
  readonly earlier: JournalPosition | undefined;
  /** Flows from the beginning of the input that need not be sent; see {@link Recovered}. */
  readonly held: number;
  /** Where to record how far this run gets; nowhere if undefined. */
  readonly journal?: Journal | undefined;
};

/** Tells a load which batches an earlier run did, and records how far this one gets. */
export class Resumption implements LoadJournal {
  readonly #earlier: JournalPosition;
  readonly #held: number;
  #journal: Journal | undefined;
  /** Flows of the batches begun. */
  #flows = 0;

  constructor({ earlier, held, journal }: ResumeOptions) {
    this.#earlier = earlier ?? { settled: 0, sent: 0 };
    this.#held = held;
    this.#journal = journal;
  }

  begin(batch: Batch): EarlierRun {
    const start = this.#flows;
    const end = start + batch.count;
    this.#flows = end;
    if (end <= this.#held) return "applied";
    const { settled, sent } = this.#earlier;
    const position = { settled: Math.max(start, settled), sent: Math.max(end, sent) };
    // It is a hint: a load does not end for want of it.
    if (this.#journal?.write(position) === false) this.#journal = undefined;
    return start < sent ? "perhaps" : "never";
  }
}

/** An input, and how it is loaded. */
type ResumedInput = {
  readonly source: ByteSource;
  readonly format: FlowFormat | "auto";
  readonly ports: PortNames;
  readonly told: Pick<StartOptions, "mode" | "owner" | "ufid" | "order">;
};

/** What a datapath has of the flows that an earlier run settled. */
type Recovered = {
  /**
   * Flows from the beginning of the input before the first that the datapath does not have as it
   * should be. From that on all must be sent again, since later lines may be about the same flows.
   */
  readonly held: number;
  /** Flows that the datapath does not have as they should be. */
  readonly lacking: number;
};

/**
 * Compares what an earlier run did with the flows of the datapath. Of lines about one flow, the
 * last one counts.
 * @param settled how many flows of the input the earlier run did
 * @throws UnreadableInputError; MillraceError `UNSOUND_DUMP`
 */
export async function recover(
  datapath: DatapathHandle,
  settled: number,
  { source, format, ports, told }: ResumedInput,
): Promise<Recovered> {
  const journal = new LastOfEach(settled);
  await startLoad("dry", { source, format }, { ...told, ports, journal });
  return journal.compare(readDatapath(datapath));
}

/** What the last line about each flow wants, of the first flows of an input. */
class LastOfEach implements LoadJournal {
  readonly #settled: number;
  /** Flows of the input that were taken. */
  #taken = 0;
  readonly #table = new FlowTable();
  /** For each flow of the table: the place in the input from which it is made again; the last verb. */
  readonly #places: number[] = [];
  readonly #verbs: FlowVerb[] = [];
  /** For each flow of the table: whether the lines so far make it. */
  readonly #made: boolean[] = [];
  /** The first place that is sent again whatever the datapath has. */
  #again: number;
  /** How many flows cannot be looked for. */
  #unreadable = 0;
  readonly #view = newFlowParts();

  constructor(settled: number) {
    this.#settled = settled;
    this.#again = settled;
  }

  begin(batch: Batch): EarlierRun {
    const count = Math.min(batch.count, this.#settled - this.#taken);
    for (let i = 0; i < count; i++) this.#take(batch, i);
    return "never";
  }

  #take(batch: Batch, index: number): void {
    const place = this.#taken++;
    decodeRequest(batch, index, this.#view);
    const verb = verbOf(batch, index);
    // A change without actions leaves those that an earlier line gave.
    if (verb === "modify" && this.#view.actions.start < 0) return;
    // An add of a flow that an earlier line makes leaves it as it is: what the kernel says of that is
    // to be told.
    if (verb === "add" && this.#made[this.#table.find(this.#view)] === true) {
      this.#again = Math.min(this.#again, place);
      return;
    }
    const number = this.#table.put(this.#view);
    if (number < 0) {
      this.#unreadable++;
      this.#again = Math.min(this.#again, place);
      return;
    }
    // What an add or a change does depends on the flow that an earlier line makes.
    const isFirst = this.#verbs[number] === undefined;
    if (isFirst || verb === "put" || verb === "delete") this.#places[number] = place;
    this.#verbs[number] = verb;
    if (verb !== "modify") this.#made[number] = verb !== "delete";
  }

  compare(held: FlowTable): Recovered {
    let first = this.#again;
    let lacking = this.#unreadable;
    const wanted = newFlowParts();
    const found = newFlowParts();
    for (let index = 0; index < this.#table.size; index++) {
      const number = held.numberOf(this.#table, index);
      const isThere = number >= 0;
      const isDone =
        this.#verbs[index] === "delete"
          ? !isThere
          : isThere && isAsWanted(this.#table.read(index, wanted), held.read(number, found));
      if (isDone) continue;
      lacking++;
      first = Math.min(first, this.#places[index] ?? 0);
    }
    return { held: first, lacking };
  }
}

function isAsWanted(wanted: FlowParts, held: FlowParts): boolean {
  return sameDeeds(wanted, held) && (!hasGivenUfid(wanted) || haveSameUfid(wanted, held));
}
