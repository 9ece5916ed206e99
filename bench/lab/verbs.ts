/**
 * The cost of each verb: add, modify and delete of pre-encoded flows, a dump, and another load of
 * the same flows, which reads them. Prints one line of JSON with a step per verb; leaves nothing in
 * the datapath.
 *
 *   bun bench/lab/verbs.ts DATAPATH FOLDER      (FOLDER/add.packed, modify.packed, delete.packed,
 * put.txt)
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Datapath } from "../../src/datapath.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { infoOf, openDatapath } from "../../src/ovs/datapath.ts";
import type { Step } from "../model.ts";
import { dumpAll, installPacked } from "./install.ts";
import { workHash } from "./work-hash.ts";

const [name = "", folder = ""] = process.argv.slice(2);
using channel = new OvsChannel();
const datapath = openDatapath(channel, name);

function verb(what: string, flows: number): Step {
  const { seconds, errors } = installPacked(datapath, join(folder, `${what}.packed`));
  if (errors > 0) throw new Error(`${what}: ${errors} flows failed`);
  return { id: `verb-${what}`, name: `millrace, ${what}`, flows, seconds };
}

/** Loads the existing flows again, from text, without a thread. */
function putAgain(flows: number): Step {
  using dp = Datapath.open(name);
  const { report } = dp.loadSync(readFileSync(join(folder, "put.txt")));
  if (report.applied !== flows) throw new Error(`put: ${report.applied} of ${flows} flows`);
  return {
    id: "verb-put",
    name: "millrace, put over the same flows",
    flows,
    seconds: report.seconds,
  };
}

function dump(): Step {
  const before = performance.now();
  const flows = dumpAll(datapath);
  return {
    id: "verb-dump",
    name: "millrace, dump, not printed",
    flows,
    seconds: (performance.now() - before) / 1e3,
  };
}

/** Proves what the kernel holds now: it must equal what other variants of the set leave. */
type Prove = () => Pick<Step, "work" | "workHash">;

function all(prove: Prove): Step[] {
  const flows = (): number => infoOf(datapath).stats.flows;
  const add = verb("add", 0);
  const count = flows();
  const added = prove();
  const put = putAgain(count);
  const same = prove();
  const modify = verb("modify", count);
  // Modifies to other actions, so that the kernel has something to change.
  const { workHash: changed } = prove();
  if (changed !== undefined && changed === same.workHash) throw new Error("modify changed nothing");
  const steps = [
    { ...add, flows: count, ...added },
    { ...put, ...same },
    modify,
    dump(),
    verb("delete", count),
  ];
  if (flows() !== 0) throw new Error(`${flows()} flows left behind the delete`);
  return steps;
}

// A first pass that is not measured, with the dumps that prove the work.
const proven = all(() => {
  const hash = workHash(datapath);
  return { work: `sample ${hash.split(":")[0]}`, workHash: hash };
});
const steps = all(() => ({})).map((step, i) => {
  const { work, workHash: hash } = proven[i] ?? {};
  return work === undefined || hash === undefined ? step : { ...step, work, workHash: hash };
});
console.log(JSON.stringify({ seconds: 0, steps }));
