import type { Variant } from "../model.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { scripted } from "./programs.ts";

/** What a sync costs beside its parts, in one process. */
export function sync(size: Size, files: Files): Variant[] {
  const flows = Math.min(size.flows, SYNC_FLOWS);
  const parts = { part: "sync", id: "sync", name: "millrace, sync and its parts", flows } as const;
  const diff = {
    part: "sync",
    id: "sync-diff",
    name: "millrace, the difference of two datapaths",
    flows: size.flows,
  } as const;
  return [
    scripted(parts, "bench/lab/sync.ts", files.sync(flows)),
    scripted(diff, "bench/lab/diff.ts", files.sync(size.flows)),
  ];
}

/** Flows of the bar. */
const SYNC_FLOWS = 100_000;
