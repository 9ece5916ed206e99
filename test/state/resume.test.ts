/** Loads that are cut and go on, over the kernel in memory. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Flow } from "../../src/flow/flow.ts";
import { identityOf } from "../../src/flow/parts.ts";
import { fileSource } from "../../src/format/source.ts";
import type { LoadReport } from "../../src/load/report.ts";
import { startLoad } from "../../src/load/start-load.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { createDatapath, type DatapathHandle, handleOf, infoOf } from "../../src/ovs/datapath.ts";
import { deleteFlow, dumpFlows, flushFlows } from "../../src/ovs/flow.ts";
import { portNames } from "../../src/ovs/vport.ts";
import { Journal, type JournalPosition, readJournal, subjectOf } from "../../src/state/journal.ts";
import { recover, Resumption } from "../../src/state/resume.ts";
import { MemoryKernel } from "../../src/testing/index.ts";

const folder = mkdtempSync(join(tmpdir(), "resume-"));
afterAll(() => rmSync(folder, { recursive: true }));

const TOLD = { mode: "put", owner: "", ufid: true, order: "file" } as const;
/** Small, so that a cut lies between two of them. */
const BATCHING = { messagesPerDatagram: 2, datagramsPerCall: 2 };

function line(host: number, actions: string, verb = ""): string {
  return `${verb} in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.${host},frag=no) ${actions}`;
}

function inputOf(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.join("\n"));
  return path;
}

/** A datapath, the requests for flows that reached it, and an end of the process on request. */
class Machine implements Disposable {
  readonly kernel = new MemoryKernel();
  readonly channel = new OvsChannel(undefined, this.kernel);
  readonly datapath: DatapathHandle = handleOf(
    this.channel,
    createDatapath(this.channel, "dp0", { userFeatures: 0 }),
  );

  get flows(): number {
    return infoOf(this.datapath).stats.flows;
  }

  /** The actions of each flow, by the last number of its address. */
  dump(): Record<string, string> {
    const texts = Array.from(dumpFlows(this.datapath), (view) => Flow.fromParts(view).toString());
    return Object.fromEntries(
      texts.map((text) => [/10\.0\.0\.(\d+)/.exec(text)?.[1], text.split("actions:")[1] ?? ""]),
    );
  }

  /** Loads a file as `load --resume` does. @param cutAfter gives up before this many batches are begun */
  async load(path: string, cutAfter = Number.POSITIVE_INFINITY): Promise<LoadReport | undefined> {
    const file = `${path}.journal`;
    const subject = subjectOf(path, { datapath: "dp0", ...TOLD });
    const earlier = readJournal(file, subject);
    const ports = portNames(this.datapath);
    const source = fileSource(path);
    const { held } = await recover(this.datapath, earlier?.settled ?? 0, {
      source: fileSource(path),
      format: "auto",
      ports,
      told: TOLD,
    });
    using journal = new Journal(file, subject, earlier);
    const resumption = new Resumption({ earlier, held, journal });
    const begin = resumption.begin.bind(resumption);
    let batches = 0;
    resumption.begin = (batch) => {
      if (batches++ >= cutAfter) throw new Cut();
      return begin(batch);
    };
    try {
      return await startLoad(
        { datapath: this.datapath },
        { source, format: "auto" },
        { ...TOLD, workers: 0, batching: BATCHING, journal: resumption },
      );
    } catch (error) {
      if (error instanceof Cut) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.channel[Symbol.dispose]();
  }
}

/** Stands for SIGKILL. */
class Cut extends Error {}

const TWELVE = Array.from({ length: 12 }, (_, i) => line(i + 1, "1"));

function positionOf(path: string): JournalPosition | undefined {
  return readJournal(`${path}.journal`, subjectOf(path, { datapath: "dp0", ...TOLD }));
}

test("a load that is cut goes on behind the flows that the kernel has", async () => {
  using machine = new Machine();
  const path = inputOf("plain.txt", TWELVE);
  expect(await machine.load(path, 2)).toBeUndefined();
  const cut = positionOf(path);
  expect(cut?.settled).toBeGreaterThan(0);
  expect(machine.flows).toBe(cut?.sent ?? 0);
  const report = await machine.load(path);
  expect(report).toMatchObject({ applied: 12, resumed: cut?.settled, lines: 12 });
  expect(machine.flows).toBe(12);
});

test("what the kernel no longer has is sent again, whatever the journal says", async () => {
  using machine = new Machine();
  const path = inputOf("lost.txt", TWELVE);
  await machine.load(path, 2);
  const cut = positionOf(path);
  flushFlows(machine.datapath);
  expect(await machine.load(path)).toMatchObject({ applied: 12, resumed: 0 });
  expect(machine.flows).toBe(12);
  expect(cut?.settled).toBeGreaterThan(0);
});

test("of lines about one flow the last one counts, and none is carried out again", async () => {
  using machine = new Machine();
  const path = inputOf("twice.txt", [
    line(1, "1"),
    line(2, "1"),
    line(1, "", "delete"),
    line(2, "2", "modify"),
    line(3, "1"),
    line(4, "1"),
    line(3, "", "delete"),
    line(5, "1"),
  ]);
  await machine.load(path, 1);
  expect(positionOf(path)).toEqual({ settled: 0, sent: 4 });
  await machine.load(path, 2);
  expect(positionOf(path)).toEqual({ settled: 4, sent: 8 });
  const report = await machine.load(path);
  expect(report).toMatchObject({ applied: 8, rejected: 0, resumed: 4 });
  expect(machine.flows).toBe(3);
});

test("from a flow on that is missing all is sent again: a later line has the last word", async () => {
  using machine = new Machine();
  const path = inputOf("again.txt", [
    line(1, "1"),
    line(2, "1"),
    line(3, "1"),
    line(4, "1"),
    line(1, "2"),
    line(3, "2", "modify"),
    line(5, "1"),
    line(6, "1"),
    line(7, "1"),
  ]);
  await machine.load(path, 3);
  expect(positionOf(path)).toEqual({ settled: 8, sent: 9 });
  // Sent again for its first line, the first batch puts back the old actions of another flow.
  deleteFlow(machine.datapath, identityOf(Flow.parse(line(2, "1")).parts));
  expect(await machine.load(path)).toMatchObject({ applied: 9, rejected: 0, resumed: 0 });
  expect(machine.dump()).toMatchObject({ 1: "2", 2: "1", 3: "2" });
  // A change is of no use without the flow that an earlier line makes.
  deleteFlow(machine.datapath, identityOf(Flow.parse(line(3, "1")).parts));
  expect(await machine.load(path)).toMatchObject({ applied: 9, rejected: 0, resumed: 0 });
  expect(machine.dump()).toMatchObject({ 1: "2", 2: "1", 3: "2" });
});

test("of two adds of a flow that is gone the first one makes it, as it did", async () => {
  using machine = new Machine();
  const path = inputOf("adds.txt", [
    line(1, "1"),
    line(2, "1"),
    line(3, "3", "add"),
    line(4, "1"),
    line(3, "2", "add"),
    ...[5, 6, 7, 8].map((host) => line(host, "1")),
  ]);
  await machine.load(path, 2);
  expect(positionOf(path)).toEqual({ settled: 4, sent: 8 });
  await machine.load(path, 3);
  expect(positionOf(path)).toEqual({ settled: 8, sent: 9 });
  deleteFlow(machine.datapath, identityOf(Flow.parse(line(3, "1")).parts));
  await machine.load(path);
  expect(machine.dump()).toMatchObject({ 3: "3" });
});

test("an add behind a put is not what the flow should be, though it may be what was done", async () => {
  using machine = new Machine();
  const path = inputOf("put-add.txt", [
    line(1, "2"),
    ...[2, 3, 4].map((host) => line(host, "1")),
    line(1, "1", "add"),
    ...[5, 6, 7, 8].map((host) => line(host, "1")),
  ]);
  await machine.load(path, 2);
  await machine.load(path, 3);
  expect(positionOf(path)).toEqual({ settled: 8, sent: 9 });
  // What became of it is told again.
  expect(await machine.load(path)).toMatchObject({ resumed: 4, applied: 8, rejected: 1 });
  // As if the put had failed for want of memory.
  await machine.load(inputOf("as-added.txt", [line(1, "1")]));
  expect(await machine.load(path)).toMatchObject({ resumed: 0 });
  expect(machine.dump()).toMatchObject({ 1: "2" });
});

test("an add behind a put and a change is not what the flow should be either", async () => {
  using machine = new Machine();
  const path = inputOf("put-change-add.txt", [
    line(1, "1"),
    ...[2, 3, 4].map((host) => line(host, "1")),
    line(1, "2", "modify"),
    ...[5, 6, 7].map((host) => line(host, "1")),
    line(1, "1", "add"),
    ...[8, 9, 10, 11].map((host) => line(host, "1")),
  ]);
  await machine.load(path, 3);
  await machine.load(path, 4);
  expect(positionOf(path)).toEqual({ settled: 12, sent: 13 });
  expect(machine.dump()).toMatchObject({ 1: "2" });
  // As if a run had begun again with the put, and had been cut before the change.
  await machine.load(inputOf("as-put.txt", [line(1, "1")]));
  expect(await machine.load(path)).toMatchObject({ resumed: 0 });
  expect(machine.dump()).toMatchObject({ 1: "2" });
});

test("a change without actions leaves those that the line before it gave", async () => {
  using machine = new Machine();
  const path = inputOf("no-actions.txt", [
    line(1, "1"),
    line(1, "", "modify"),
    ...[2, 3, 4, 5, 6, 7].map((host) => line(host, "1")),
  ]);
  await machine.load(path, 2);
  await machine.load(path, 1);
  expect(positionOf(path)).toEqual({ settled: 4, sent: 8 });
  await machine.load(inputOf("other-actions.txt", [line(1, "2")]));
  expect(await machine.load(path)).toMatchObject({ resumed: 0, rejected: 0 });
  expect(machine.dump()).toMatchObject({ 1: "1" });
});

test("a flow under another UFID than its line gives is not the line's", async () => {
  using machine = new Machine();
  const given = (last: string): string =>
    line(1, "1").replace(/^ /, `ufid:01020304-0506-0708-090a-0b0c0d0e0f${last} `);
  const path = inputOf("given.txt", [given("10"), ...TWELVE.slice(1)]);
  await machine.load(path, 2);
  await machine.load(path, 1);
  const identity = (last: string) => identityOf(Flow.parse(given(last)).parts);
  deleteFlow(machine.datapath, identity("10"));
  await machine.load(inputOf("other-name.txt", [given("11")]));
  // Sent again, its line is told that the flow is there by another name.
  expect(await machine.load(path)).toMatchObject({ resumed: 0, rejected: 1 });
});

test("what may have been sent stays so, however often the load begins again", async () => {
  using machine = new Machine();
  const path = inputOf("again.txt", TWELVE);
  await machine.load(path, 2);
  const sent = positionOf(path)?.sent ?? 0;
  deleteFlow(machine.datapath, identityOf(Flow.parse(line(1, "1")).parts));
  await machine.load(path, 1);
  expect(positionOf(path)).toEqual({ settled: 4, sent });
});

test("what may have been sent is applied where it was done: a delete, and an add", async () => {
  using machine = new Machine();
  const path = inputOf("doubt.txt", [
    line(1, "1", "add"),
    line(2, "1", "add"),
    line(1, "", "delete"),
    line(9, "", "delete"),
  ]);
  // The first run is cut behind its only batch, before it says so.
  const first = await machine.load(path);
  expect(first).toMatchObject({ applied: 3, rejected: 1 });
  expect(positionOf(path)).toEqual({ settled: 0, sent: 4 });
  expect(await machine.load(path)).toMatchObject({ applied: 4, rejected: 0 });
  expect(machine.flows).toBe(1);
  // Without a journal, each is what the kernel says.
  rmSync(`${path}.journal`);
  expect(await machine.load(path)).toMatchObject({ applied: 2, rejected: 2 });
});

test("a journal of another input, datapath or manner says nothing; another file is left alone", () => {
  const path = inputOf("other.txt", TWELVE);
  const file = `${path}.journal`;
  const told = { datapath: "dp0", ...TOLD };
  using journal = new Journal(file, subjectOf(path, told), { settled: 3, sent: 7 });
  expect(readJournal(file, subjectOf(path, told))).toEqual({ settled: 3, sent: 7 });
  expect(journal.write({ settled: 7, sent: 9 })).toBe(true);
  expect(readJournal(file, subjectOf(path, told))).toEqual({ settled: 7, sent: 9 });
  for (const other of [
    { datapath: "dp1" },
    { mode: "add" },
    { owner: "a" },
    { ufid: false },
    { order: "fast" },
  ]) {
    expect(readJournal(file, subjectOf(path, { ...told, ...other }))).toBeUndefined();
  }
  writeFileSync(path, "another\n");
  expect(readJournal(file, subjectOf(path, told))).toBeUndefined();
  writeFileSync(file, "a user's own file\n");
  expect(() => readJournal(file, subjectOf(path, told))).toThrow(/not a journal of millrace/);
  expect(readFileSync(file, "utf8")).toBe("a user's own file\n");
  // Nor is a pipe waited for.
  Bun.spawnSync(["mkfifo", `${file}.pipe`]);
  expect(() => readJournal(`${file}.pipe`, subjectOf(path, told))).toThrow(
    /not a journal of millrace/,
  );
  // What took the name meanwhile is not this journal's to remove.
  writeFileSync(join(folder, "new"), "x");
  rmSync(file);
  writeFileSync(file, "someone's\n");
  journal.remove();
  expect(readFileSync(file, "utf8")).toBe("someone's\n");
});

test("a folder that is not there, or that has no room, is an error that says so", () => {
  const path = inputOf("full.txt", TWELVE);
  const subject = subjectOf(path, { datapath: "dp0", ...TOLD });
  expect(() => new Journal("/nowhere/x.journal", subject)).toThrow(/no journal can be kept in/);
  expect(() => new Journal("/proc/x.journal", subject)).toThrow(/nothing was sent/);
});
