import { portNames } from "../ovs/vport.ts";
import type { FlowFormat } from "../format/detect.ts";
import type { ByteSource } from "../format/source.ts";
import type { LoadReport } from "../load/report.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import type { StartOptions } from "../load/start-load.ts";
import { Journal, type JournalPosition, readJournal, subjectOf } from "../state/journal.ts";
import { recover, Resumption } from "../state/resume.ts";
import { UsageError } from "./exit.ts";
import { complain, counted } from "./output.ts";

// `load --resume`: the journal beside the input, and what it says of an earlier run.

/** How the input is loaded. */
type JournalOptions = {
  /** Whether a journal must be written. */
  readonly write: boolean;
  readonly told: Required<Pick<StartOptions, "mode" | "owner" | "ufid" | "order">>;
  readonly format: FlowFormat | "auto";
};

/** Opened before a load, and closed after it. */
export class LoadRecord implements Disposable {
  /** To be given to the load. */
  readonly resumption: Resumption;
  readonly #journal: Journal | undefined;

  private constructor(resumption: Resumption, journal: Journal | undefined) {
    this.resumption = resumption;
    this.#journal = journal;
  }

  /**
   * Looks what an earlier run did, and begins to record this one.
   * @throws UsageError if the input is no file; MillraceError `UNWRITABLE_OUTPUT`, `UNSOUND_DUMP`
   */
  static async open(
    { datapath }: LoadTarget,
    source: ByteSource,
    { write, told, format }: JournalOptions,
  ): Promise<LoadRecord> {
    const { path } = source;
    if (path === undefined) {
      throw new UsageError(`--resume reads its input twice: give a file, not ${source.name}`);
    }
    const file = `${path}.${datapath.name}.journal`;
    const subject = subjectOf(path, { datapath: datapath.name, ...told });
    const earlier = write ? readJournal(file, subject) : readIfJournal(file, subject);
    // Before the datapath is read, which takes a while.
    const journal = write ? new Journal(file, subject, earlier) : undefined;
    if (!write) complain("warning: no journal is kept (--no-journal): a cut load starts again");
    try {
      const held = await heldOf(earlier, source, { datapath, told, format });
      return new LoadRecord(new Resumption({ earlier, held, journal }), journal);
    } catch (error) {
      journal?.[Symbol.dispose]();
      throw error;
    }
  }

  /** Removes the journal if there is nothing left to resume. */
  end({ ended, unknown }: LoadReport): void {
    if (ended === "complete" && unknown === 0) this.#journal?.remove();
  }

  [Symbol.dispose](): void {
    this.#journal?.[Symbol.dispose]();
  }
}

// Without a journal of its own, a load ignores what it cannot read.
function readIfJournal(...args: Parameters<typeof readJournal>): JournalPosition | undefined {
  try {
    return readJournal(...args);
  } catch {
    return undefined;
  }
}

/** Flows from the beginning of the input that the datapath has. */
async function heldOf(
  earlier: JournalPosition | undefined,
  source: ByteSource,
  {
    datapath,
    told,
    format,
  }: Pick<JournalOptions, "told" | "format"> & Pick<LoadTarget, "datapath">,
): Promise<number> {
  const { settled = 0 } = earlier ?? {};
  if (settled === 0) return 0;
  const reread = source.reopen?.();
  if (reread === undefined) throw new UsageError(`${source.name} changed while it was read`);
  const input = { source: reread, format, ports: portNames(datapath), told };
  const { held, lacking } = await recover(datapath, settled, input);
  if (lacking > 0) {
    complain(
      `${counted(lacking, "flow")} of the run that was cut ${lacking === 1 ? "is" : "are"} not in ${datapath.name} as loaded: all from the first of them on is sent again`,
    );
  }
  return held;
}
