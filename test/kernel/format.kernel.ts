import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath } from "../../src/datapath.ts";
import { fileSource } from "../../src/format/source.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { compile, recordStarts } from "../format/collect.ts";
import { millrace, TestDatapath } from "./lab.ts";

const folder = mkdtempSync(join(tmpdir(), "format-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SAMPLE = Array.from({ length: 6000 }, (_, i) => sampleLine(i)).join("\n");

/** Every verb, UFIDs of their own, names of ports: each as its line says. */
const MIXED = (dp: string): string =>
  [
    sampleLine(1),
    "# a comment",
    sampleLine(2),
    sampleLine(3),
    `add in_port(${dp}p1),eth(),eth_type(0x88cc) ${dp}p2,1`,
    `in_port(${dp}p2),eth(),eth_type(0x0800),ipv4(frag=no) sample(sample=50%,actions(${dp}p1)),2`,
    `in_port(${dp}p2),eth(),eth_type(0x88cc) 1`,
    `ufid:00112233-4455-6677-8899-aabbccddeeff,in_port(9),eth(),eth_type(0x88cc) drop`,
    `ufid:01112233-4455-6677-8899-aabbccddeeff in_port(${dp}p1),eth(),eth_type(0x86dd),ipv6(frag=no) 1`,
    `delete ufid:00112233-4455-6677-8899-aabbccddeeff,in_port(9),eth(),eth_type(0x88cc)`,
    `delete in_port(${dp}p2),eth(),eth_type(0x88cc)`,
    `delete ${sampleLine(2)}`,
    `modify ${sampleLine(3).replace(/ 2$/, "")} 1`,
    `modify ${sampleLine(1).replace(/ 2$/, "")}`,
    sampleLine(4),
    "eth(),eth_type(0x88cd) 3",
    "eth(),eth_type(0x88ce) 3",
    "delete eth(),eth_type(0x88ce)",
  ].join("\n");

/** All that the kernel holds, UFIDs too. */
function flowsOf(dp: Datapath): string[] {
  return Array.from(dp.flows(), (flow) => flow.toString({ verbose: true })).toSorted();
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("a compiled flow set", () => {
  test("leaves the kernel as its text does, with UFIDs and without", async () => {
    using of = new TestDatapath("set0");
    using dp = Datapath.open(of.name);
    const text = MIXED(of.name);
    const { bytes, refusals } = await compile(text);
    expect(refusals).toEqual([]);
    const set = Bun.file(file("mixed.mrs", bytes));
    for (const ufid of [true, false]) {
      const wantedResult = await dp.load(new TextEncoder().encode(text), { ufid });
      expect(wantedResult.report).toMatchObject({
        applied: 17,
        rejected: 0,
        refused: 0,
        lines: 18,
      });
      const wanted = flowsOf(dp);
      expect(wanted.length).toBe(7);
      dp.flush();
      const result = await dp.load(set, { ufid });
      expect(result.report).toMatchObject({ applied: 17, rejected: 0, refused: 0, lines: 18 });
      expect(result.lineOf(13)).toBe(15);
      expect(flowsOf(dp)).toEqual(wanted);
      // What is there already is found again, by its UFID or its key: the text put it.
      dp.flush();
      dp.loadSync(new TextEncoder().encode(text), { ufid });
      const again = await dp.load(set, { ufid });
      expect(again.report).toMatchObject({ applied: 16, rejected: 1 });
      expect(again.report.errors[0]).toMatchObject({ line: 5, code: "EEXIST" });
      expect(flowsOf(dp)).toEqual(wanted);
      dp.flush();
      expect(dp.loadSync(bytes, { ufid }).applied).toBe(17);
      expect(flowsOf(dp)).toEqual(wanted);
      dp.flush();
    }
  });

  test("is added, modified and deleted as the load says", async () => {
    using of = new TestDatapath("set1");
    using dp = Datapath.open(of.name);
    const { bytes } = await compile(SAMPLE);
    for (const ufid of [true, false]) {
      expect(dp.loadSync(bytes, { ufid, mode: "modify" }).rejected).toBe(6000);
      expect(dp.loadSync(bytes, { ufid, mode: "add" }).applied).toBe(6000);
      const again = dp.loadSync(bytes, { ufid, mode: "add" });
      expect([again.rejected, again.report.errors[5]?.line]).toEqual([6000, 6]);
      expect(dp.loadSync(bytes, { ufid }).applied).toBe(6000);
      expect(dp.loadSync(bytes, { ufid, mode: "delete" }).applied).toBe(6000);
      expect(of.flows).toBe(0);
    }
  });

  test("refuses the flows of ports that are not there, by line", async () => {
    using of = new TestDatapath("set2");
    using dp = Datapath.open(of.name);
    const { bytes } = await compile(`${sampleLine(1)}\nin_port(gone),eth(),eth_type(0x88cc) 1\n`);
    const { report } = await dp.load(new Blob([bytes]));
    expect(report).toMatchObject({ applied: 1, refused: 1 });
    expect(report.errors[0]).toMatchObject({ line: 2, code: "FLOW_SYNTAX", text: "gone" });
  });
});

describe("millrace", () => {
  let set = "";
  let damaged = "";
  let starts: number[] = [];
  beforeAll(() => {
    const text = file("sample.txt", SAMPLE);
    set = join(folder, "sample.mrs");
    const { exitCode, stdout } = millrace(["compile", text, "-o", set]);
    expect([exitCode, stdout.slice(stdout.lastIndexOf(": "))]).toEqual([
      0,
      expect.stringContaining("6,000 flows of 6,000 lines"),
    ]);
    const bytes = new Uint8Array(readFileSync(set));
    starts = recordStarts(bytes);
    bytes[(starts[2] ?? 0) + 5000] = 0x55;
    damaged = file("damaged.mrs", bytes);
  });

  test("compiles, loads, and dumps flow sets and JSON lines that load again", () => {
    using of = new TestDatapath("set3");
    using dp = Datapath.open(of.name);
    const loaded = millrace(["load", set, "--dp", of.name]);
    expect([loaded.exitCode, loaded.stderr, of.flows]).toEqual([0, "", 6000]);
    dp.flush();
    dp.loadSync(SAMPLE.split("\n").slice(0, 300));
    dp.put("ufid:00112233-4455-6677-8899-aabbccddeeff,in_port(1),eth(),eth_type(0x88cc) 2");
    const wanted = flowsOf(dp);
    expect(wanted.length).toBe(301);
    for (const format of ["msgpack", "jsonl"]) {
      const dump = millrace(["dump", "--dp", of.name, "--format", format, "-m"]);
      expect([dump.exitCode, dump.stderr]).toEqual([0, ""]);
      const path = file(`dump.${format}`, dump.output);
      dp.flush();
      const again = millrace(["load", path, "--dp", of.name]);
      expect([again.exitCode, again.stderr]).toEqual([0, ""]);
      expect(flowsOf(dp)).toEqual(wanted);
    }
    const dump = (...style: readonly string[]): Uint8Array =>
      millrace(["dump", "--dp", of.name, "--no-stats", ...style]).output;
    expect(dump("--json")).toEqual(dump("--format", "jsonl"));
  });

  test("loads nothing of a damaged set that is a file, exit 2", () => {
    using of = new TestDatapath("set4");
    const { exitCode, stdout, stderr } = millrace(["load", damaged, "--dp", of.name]);
    expect([exitCode, stdout, of.flows]).toEqual([2, "", 0]);
    expect(stderr).toBe(
      `millrace: cannot read ${damaged}: chunk 2, at byte ${starts[2]} is damaged: its checksum does not match\n`,
    );
  });

  test("stops at the bad chunk of a pipe, and says what was applied, exit 2", () => {
    using of = new TestDatapath("set5");
    const input = readFileSync(damaged);
    const { exitCode, stdout } = millrace(["load", "-", "--dp", of.name, "--json"], input);
    expect(exitCode).toBe(2);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ applied: 4096, lines: 4096, ended: "unreadable" });
    expect(report.endReason).toContain("chunk 2, at byte");
    expect(of.flows).toBe(4096);
  });

  test("leaves no set behind where a line is refused, unless told to go on", () => {
    const bad = file("bad.txt", `${sampleLine(1)}\nnonsense\n${sampleLine(2)}\n`);
    const out = join(folder, "bad.mrs");
    const refused = millrace(["compile", bad, "-o", out]);
    expect([refused.exitCode, Bun.file(out).size]).toEqual([1, 0]);
    expect(refused.stdout).toContain("line 2, column 1: refused (FLOW_SYNTAX)");
    const kept = millrace(["compile", bad, "-o", out, "--keep-going", "--json"]);
    expect([kept.exitCode, JSON.parse(kept.stdout)]).toEqual([
      1,
      expect.objectContaining({ flows: 2, refused: 1, written: true }),
    ]);
    expect(millrace(["load", out, "--dry-run"]).stdout).toContain("2 valid of 3 lines");
    expect(fileSource(out).size).toBeGreaterThan(300);
  });
});
