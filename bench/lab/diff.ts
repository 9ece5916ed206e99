/**
 * What the difference of two datapaths costs, a hundredth of whose flows have other actions, beside the two dumps alone.
 * The difference is taken by a process of its own, whose memory is told. One line of JSON with a step for each; leaves
 * nothing in either.
 *
 *   bun bench/lab/diff.ts DATAPATH FOLDER      (FOLDER/old.txt, new.txt)
 */
import { join } from "node:path";
import { Datapath } from "../../src/datapath.ts";
import { deleteDatapath, openDatapath } from "../../src/ovs/datapath.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import type { Step } from "../model.ts";
import { dumpAll } from "./install.ts";

const OTHER = "benchdiff";
const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

const [name = "", folder = ""] = process.argv.slice(2);
using channel = new OvsChannel();
using one = Datapath.open(name);
for (const { name: old } of Datapath.list()) if (old === OTHER) deleteDatapath(channel, OTHER);
using other = Datapath.create(OTHER);

function run(...args: readonly string[]): { seconds: number; bytes: number; status: number } {
  const before = performance.now();
  const { exitCode, resourceUsage } = Bun.spawnSync([MILLRACE, ...args], { stdout: "ignore" });
  return {
    seconds: (performance.now() - before) / 1e3,
    bytes: resourceUsage.maxRSS,
    status: exitCode,
  };
}

const sets = [`dp:${name}`, `dp:${OTHER}`];
await one.load(join(folder, "old.txt"));
await other.load(join(folder, "new.txt"));
const flows = one.info().stats.flows + other.info().stats.flows;

const handles = [openDatapath(channel, name), openDatapath(channel, OTHER)];
const before = performance.now();
let dumped = 0;
for (const handle of handles) dumped += dumpAll(handle);
const dumps = (performance.now() - before) / 1e3;
if (dumped !== flows) throw new Error(`${dumped} flows were dumped, of ${flows}`);
const printed = handles.map(({ name: printedOne }) => run("dump", "--dp", printedOne));
const diff = run("diff", ...sets, "--stat");
if (diff.status !== 1) throw new Error(`diff ended with ${diff.status}`);
one.flush();
deleteDatapath(channel, OTHER);

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const steps: Step[] = [
  { id: "sync-diff-dumps", name: "millrace, two dumps, not printed", flows, seconds: dumps },
  {
    id: "sync-diff-printed",
    name: "millrace dump, twice, whole processes",
    flows,
    seconds: sum(printed.map(({ seconds }) => seconds)),
  },
  {
    id: "sync-diff-datapaths",
    name: "millrace diff of two datapaths, whole process",
    flows,
    seconds: diff.seconds,
    peakResidentBytes: diff.bytes,
  },
];
console.log(JSON.stringify({ seconds: 0, steps }));
