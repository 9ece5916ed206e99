import { join } from "node:path";
import type { Variant } from "../model.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { BUN, DATAPATH } from "./programs.ts";

/** What a sync costs beside its parts, in one process. */
export function sync(size: Size, files: Files): Variant[] {
  const flows = Math.min(size.flows, SYNC_FLOWS);
  return [
    {
      part: "sync",
      id: "sync",
      name: "millrace, sync and its parts",
      program: "millrace",
      command: [BUN, join(import.meta.dir, "../lab/sync.ts"), DATAPATH, files.sync(flows)],
      flows,
      leaves: 0,
      reports: true,
    },
    {
      part: "sync",
      id: "sync-diff",
      name: "millrace, the difference of two datapaths",
      program: "millrace",
      command: [BUN, join(import.meta.dir, "../lab/diff.ts"), DATAPATH, files.sync(size.flows)],
      flows: size.flows,
      leaves: 0,
      reports: true,
    },
  ];
}

/** Flows of the bar. */
const SYNC_FLOWS = 100_000;
