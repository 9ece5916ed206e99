import type { Flow } from "./flow/flow.ts";
import { TemplateFill } from "./flow/template.ts";
import { type FlowSource, inputOf, synchronousInput } from "./flow-source.ts";
import { OutcomeTable } from "./load/outcome-table.ts";
import { LoadResult } from "./load/result.ts";
import type { LoadTarget } from "./load/send/connection.ts";
import { startLoad, startLoadSync, type StartOptions } from "./load/start-load.ts";

/** Options of the library's loads. */
export type DatapathLoadOptions = Omit<
  StartOptions,
  | "exactIdentity"
  | "keepNames"
  | "knownUfids"
  | "onFlow"
  | "outcomes"
  | "ports"
  | "readPorts"
  | "startThread"
> & {
  /**
   * Whether to load even if ovs-vswitchd runs the datapath; it deletes flows that it did not make
   * within seconds.
   */
  readonly force?: boolean;
};

/** What a synchronous load takes: a file's path, or data in memory. */
export type SyncFlowSource = string | Uint8Array | TemplateFill | Iterable<string | Flow>;

/** @throws UnreadableInputError; MillraceError `NO_PERMISSION` */
export async function loadInto(
  target: LoadTarget,
  source: FlowSource,
  options: DatapathLoadOptions,
): Promise<LoadResult> {
  const outcomes = new OutcomeTable();
  return new LoadResult(
    await startLoad(target, inputOf(source), { ...options, outcomes }),
    outcomes,
  );
}

/** As {@link loadInto}, without yielding. */
export function loadIntoSync(
  target: LoadTarget,
  source: SyncFlowSource,
  options: DatapathLoadOptions,
): LoadResult {
  const outcomes = new OutcomeTable();
  const input = source instanceof TemplateFill ? source : synchronousInput(source);
  return new LoadResult(startLoadSync(target, input, { ...options, outcomes }), outcomes);
}
