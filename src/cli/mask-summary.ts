import { KeyRecord } from "../flow/key/record.ts";
import { printKey } from "../flow/key/print.ts";
import { MaskClasses } from "../flow/mask-class.ts";
import { readMatch } from "../flow/parts.ts";
import { TextSink } from "../flow/text/sink.ts";
import type { DatapathHandle } from "../ovs/datapath.ts";
import type { DumpCheck } from "../ovs/dump-check.ts";
import { dumpFlows, omitting } from "../ovs/flow.ts";
import { count, counted, printJson, printTable, writeOut } from "./output.ts";

// `millrace dump --summary`: the masks of a datapath, and what a put costs by them.

/** The flows of a datapath by their masks. */
type MaskSummary = {
  readonly flows: number;
  /**
   * The masks, sorted by the number of flows, most first; each with the match of one of its flows.
   */
  readonly masks: readonly { readonly flows: number; readonly like: string }[];
};

/** How many masks the table shows. */
const SHOWN_MAX = 20;

/** The time of a put per walked mask, and for everything else; measured with a kernel that is an ordinary process. */
const WALK_MICROSECONDS = 0.055;
const PUT_MICROSECONDS = 2.5;

/** Counts the flows of a datapath by their masks. */
export function summarizeMasks(datapath: DatapathHandle, check?: DumpCheck): MaskSummary {
  const classes = new MaskClasses({ byType: false });
  const likes: string[] = [];
  const record = new KeyRecord();
  const out = new TextSink(1024);
  let flows = 0;
  const omit = omitting({ match: true, actions: false });
  for (const flow of dumpFlows(datapath, { omit, check })) {
    flows++;
    if (!readMatch(flow, record)) continue;
    if (classes.add(record).number < likes.length) continue;
    out.clear();
    printKey(record, out, { verbose: false, ports: undefined });
    likes.push(out.toString());
  }
  const masks = likes.map((like, index) => ({ flows: classes.all[index]?.count ?? 0, like }));
  return { flows, masks: masks.sort((a, b) => b.flows - a.flows) };
}

/** Prints the summary: a table, or one JSON document. */
export function printMasks(name: string, { flows, masks }: MaskSummary, json: boolean): void {
  if (json) return printJson({ datapath: name, flows, masks });
  writeOut(`${name}: ${counted(flows, "flow")} of ${counted(masks.length, "mask")}\n`);
  if (masks.length === 0) return;
  const walk = masks.length * WALK_MICROSECONDS;
  const times = ((PUT_MICROSECONDS + walk) / (PUT_MICROSECONDS + WALK_MICROSECONDS)).toFixed(1);
  writeOut(
    `A put walks every mask: about ${walk.toFixed(1)} µs for ${count(masks.length)}, ` +
      `and takes ${times} times as long as with one mask.\n`,
  );
  printTable([
    ["FLOWS", "A FLOW OF THE MASK"],
    ...masks.slice(0, SHOWN_MAX).map((mask) => [count(mask.flows), mask.like]),
  ]);
  const rest = masks.slice(SHOWN_MAX);
  if (rest.length === 0) return;
  const left = rest.reduce((sum, mask) => sum + mask.flows, 0);
  writeOut(
    `… and ${counted(rest.length, "mask")} more, of ${counted(left, "flow")}: --json shows them\n`,
  );
}
