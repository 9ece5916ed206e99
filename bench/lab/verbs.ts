/**
 * What each verb costs: add, put again, modify, dump, delete, over flows that were encoded beforehand.
 * One line of JSON with a step a verb; leaves nothing in the datapath.
 *
 *   bun bench/lab/verbs.ts DATAPATH FOLDER      (FOLDER/add.packed, put.packed, modify.packed, delete.packed)
 */
import { join } from "node:path";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { getDatapath } from "../../src/ovs/datapath.ts";
import { dumpFlows } from "../../src/ovs/flow.ts";
import { installPacked } from "./install.ts";

const [name = "", folder = ""] = process.argv.slice(2);
using channel = new OvsChannel();
const datapath = getDatapath(channel, name);

type Step = { name: string; flows: number; seconds: number };

function verb(what: string, flows: number): Step {
  const { seconds, errors } = installPacked(channel, datapath, join(folder, `${what}.packed`));
  if (errors > 0) throw new Error(`${what}: ${errors} flows failed`);
  return { name: `millrace, ${what}`, flows, seconds };
}

function dump(): Step {
  const before = performance.now();
  let flows = 0;
  for (const view of dumpFlows(channel, datapath)) if (view.key.start >= 0) flows++;
  return {
    name: "millrace, dump, not printed",
    flows,
    seconds: (performance.now() - before) / 1e3,
  };
}

function all(): Step[] {
  const flows = (): number => getDatapath(channel, name).stats.flows;
  const add = verb("add", 0);
  const count = flows();
  const steps = [
    { ...add, flows: count },
    { ...verb("put", count), name: "millrace, put over the same flows" },
    verb("modify", count),
    dump(),
    verb("delete", count),
  ];
  if (flows() !== 0) throw new Error(`${flows()} flows left behind the delete`);
  return steps;
}

// Once before it counts.
all();
const steps = all();
console.log(JSON.stringify({ seconds: 0, steps }));
