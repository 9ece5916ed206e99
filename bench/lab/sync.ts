/**
 * What a sync costs, beside its parts, each alone: reading the datapath, reading the file, and sending the
 * difference. A hundredth of the flows have other actions. And the difference of two tables.
 * One line of JSON with a step for each; leaves nothing in the datapath.
 *
 *   bun bench/lab/sync.ts DATAPATH FOLDER      (FOLDER/old.txt, new.txt, changed.txt, changed-back.txt)
 */
import { join } from "node:path";
import { Datapath } from "../../src/datapath.ts";
import { readFlows } from "../../src/flow-sets.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { diffTables } from "../../src/state/diff.ts";
import type { Step } from "../model.ts";
import { dumpAll } from "./install.ts";

const [name = "", folder = ""] = process.argv.slice(2);
using channel = new OvsChannel();
const handle = openDatapath(channel, name);
using dp = Datapath.open(name);
const fileOf = (what: string): string => join(folder, `${what}.txt`);
const [oldFile, newFile] = [fileOf("old"), fileOf("new")];
const [changedFile, backFile] = [fileOf("changed"), fileOf("changed-back")];

async function timed(work: () => unknown): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1e3;
}

async function all(): Promise<Step[]> {
  await dp.sync(oldFile, { allowEmpty: true });
  const flows = dp.info().stats.flows;
  const step = (what: string, words: string, seconds: number): Step => ({
    id: `sync-${what}`,
    name: `millrace, ${words}`,
    flows,
    seconds,
  });
  const dumped = await timed(() => dumpAll(handle));
  const table = await timed(() => dp.table());
  const read = await timed(() => readFlows(newFile));
  const sent = await timed(() => dp.load(changedFile, { workers: 0 }));
  await dp.load(backFile, { workers: 0 });
  let requests = 0;
  const synced = await timed(async () => {
    requests = (await dp.sync(newFile)).sent;
  });
  if (requests !== Math.ceil(flows / 100)) throw new Error(`${requests} requests were sent`);
  const nothing = await timed(() => dp.sync(newFile));
  const [one, other] = [dp.table(), await readFlows(oldFile)];
  let differing = 0;
  const compared = await timed(() => {
    for (const _ of diffTables(one, other)) differing++;
  });
  if (differing !== requests) throw new Error(`${differing} flows differ, not ${requests}`);
  dp.flush();
  return [
    step("dump", "a dump, not printed", dumped),
    step("table", "a table of the datapath", table),
    step("read", "a table of the file", read),
    step("send", "the difference alone, loaded", sent),
    step("all", "a sync, a hundredth with other actions", synced),
    step("nothing", "a sync with nothing to send", nothing),
    step("diff", "the difference of two tables", compared),
  ];
}

// Once before it counts.
await all();
console.log(JSON.stringify({ seconds: 0, steps: await all() }));
