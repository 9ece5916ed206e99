import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath, Flow } from "../../src/index.ts";
import { ALL_FEATURES, type KernelFeatures } from "../../src/flow/rules/features.ts";
import type { PortNames } from "../../src/flow/ports.ts";
import { FlowSyntaxError } from "../../src/flow/text/syntax-error.ts";
import { addPort, deletePort, portNames } from "../../src/ovs/vport.ts";
import { probeFeatures } from "../../src/ovs/features.ts";
import { Random, randomFlow } from "../flow/rules/random.ts";
import { verdict } from "../flow/rules/support.ts";
import { failure, HAS_DPCTL, MILLRACE, millrace, NO_DPCTL, TestDatapath, witness } from "./lab.ts";
import { checkFlow } from "./language/check.ts";
import { byPort, isKnown, isSaid } from "./language/dpctl.ts";
import { corpusLines, oddRanges, underPort } from "./language/lines.ts";
import { flowOf, OneFlow } from "./language/one-flow.ts";
import { describeUnless, testUnless } from "../runner/skip.ts";

const SEED = Number(process.env["MILLRACE_SEED"] ?? 1);
const RANDOM_FLOWS = Number(process.env["MILLRACE_RUNS"] ?? 400);

/**
 * The most flows of one line of a corpus that are checked; the others differ only in their
 * surroundings.
 */
const ENOUGH = Number(process.env["MILLRACE_FLOWS_A_LINE"] ?? 2);

/** Helpers that the corpora name. The kernel has those whose modules it finds. */
const HELPERS = ["ftp", "tftp", "fifteen-letters"];

const folder = mkdtempSync(join(tmpdir(), "language-"));
let dp: TestDatapath;
let features: KernelFeatures = ALL_FEATURES;
/** What the kernel took, with each line's in_port one of its own. */
const taken: string[] = [];

beforeAll(() => {
  dp = new TestDatapath("lang0");
  features = probeFeatures(dp.handle, { helpers: HELPERS });
});

afterAll(() => dp[Symbol.dispose]());

/** Why a line is not a flow for this kernel; undefined if it is. */
function refusal(line: string): string | undefined {
  try {
    return verdict(line.replace(/^ufid:[-0-9a-fx]*,/, ""), features)?.reason;
  } catch (error) {
    if (error instanceof FlowSyntaxError) return error.message;
    throw error;
  }
}

describe("every flow that the kernel takes", () => {
  test("is the one that was asked for, stays it when loaded again, and its dumps load to it", () => {
    using one = new OneFlow(dp);
    const wrong: string[] = [];
    for (const { source, flows } of corpusLines()) {
      let held = 0;
      for (const line of flows) {
        if (held === ENOUGH) break;
        const checked = checkFlow(one, line);
        const reason = refusal(line);
        if ((checked.refused === undefined) !== (reason === undefined)) {
          wrong.push(
            `${line}\n  kernel: ${checked.refused ?? "taken"}; rules: ${reason ?? "taken"}`,
          );
        }
        if (checked.refused !== undefined) continue;
        held++;
        for (const what of checked.wrong) wrong.push(`${line}\n  ${what}`);
        if (!source.startsWith("ufid:")) taken.push(underPort(line, 1000 + taken.length));
      }
    }
    expect(wrong).toEqual([]);
    // Fewer would mean that the lines say little; the project's own corpus alone comes to so many.
    expect(taken.length).toBeGreaterThan(200 * ENOUGH);
  });

  test(`so are ${RANDOM_FLOWS} random ones (seed ${SEED})`, () => {
    using one = new OneFlow(dp);
    const random = new Random(SEED);
    const wrong: string[] = [];
    for (let held = 0; held < RANDOM_FLOWS;) {
      const line = randomFlow(random);
      if (refusal(line) !== undefined) continue;
      const checked = checkFlow(one, line);
      held++;
      if (checked.refused !== undefined) wrong.push(`${line}\n  refused: ${checked.refused}`);
      for (const what of checked.wrong) wrong.push(`${line}\n  ${what}`);
    }
    expect(wrong).toEqual([]);
  });

  test("can be loaded twice with all the others: the second time changes nothing", () => {
    using opened = Datapath.open(dp.name);
    for (let round = 0; round < 2; round++) {
      const result = opened.loadSync(taken);
      expect([result.applied, result.rejected, result.refused]).toEqual([taken.length, 0, 0]);
      expect(dp.flows).toBe(taken.length);
    }
  });

  testUnless(NO_DPCTL)("is in the eyes of ovs-dpctl the one that was asked for", () => {
    const dump = witness("ovs-dpctl", "dump-flows", "-m", dp.name).trim().split("\n");
    expect(dump.length).toBe(taken.length);
    const byUfid = new Map(dump.map((line) => [line.slice(5, 41), line]));
    const wrong: string[] = [];
    const ports = portNames(dp.handle);
    expect(taken.filter(isSaid).length).toBeGreaterThan(taken.length * 0.8);
    for (const line of taken) {
      const seen = byUfid.get(Flow.parse(line).ufid ?? "");
      if (seen === undefined) wrong.push(`${line}\n  is not there`);
      else if (isSaid(line) && !sameFlow(seen, line, ports)) wrong.push(`${line}\n  ${seen}`);
    }
    expect(wrong).toEqual([]);
  });
});

/** Two lines are one flow, whatever the kernel or ovs-dpctl say in other words. */
function sameFlow(one: string, other: string, ports: PortNames): boolean {
  const [left, right] = [flowOf(one, ports), flowOf(other, ports)];
  const actions = (line: string): string =>
    Flow.parse(line, { ports }).toString().split(", actions:")[1] ?? "";
  return left.ufid === right.ufid && actions(one) === actions(other);
}

test("a flow that the kernel does not find again is put again all the same, and keeps its order", () => {
  using other = new TestDatapath("lang2");
  using opened = Datapath.open(other.name);
  const wide = "in_port(1),eth()";
  const actionsHeld = (): readonly string[] =>
    Array.from(opened.flows(), (flow) => flow.toString().split(", actions:")[1] ?? "");
  opened.put(`${wide} 1`);
  opened.put(`${wide} 2`);
  expect(actionsHeld()).toEqual(["2"]);
  for (const [lines, held] of [
    [[`${wide} 1`, `${wide} 2`, `${wide} 1`], ["1"]],
    [[`${wide} 2`, `modify ${wide} 3`], ["3"]],
    [[`${wide} 1`, `delete ${wide}`], []],
  ] as const) {
    const { applied, rejected } = opened.loadSync(lines);
    expect([lines, applied, rejected, actionsHeld()]).toEqual([lines, lines.length, 0, held]);
  }
  opened.put(`${wide} 1`);
  expect(() => opened.add(`${wide} 2`)).toThrow("is there already");
});

test("a refusal for an overlap names the flow that is in the way", () => {
  using other = new TestDatapath("lang6");
  using opened = Datapath.open(other.name);
  const match = (dst: string): string =>
    `in_port(1),eth(),eth_type(0x0800),ipv4(dst=${dst},frag=no)`;
  const wide = match("10.0.0.0/255.0.0.0");
  const result = opened.loadSync([
    `${match("11.0.0.0/8")} 2`,
    `${match("10.0.0.0/8")} 2`,
    `${match("10.0.0.1")} 3`,
    `add ${match("10.0.0.2")} 3`,
  ]);
  expect([2, 3].map((index) => result.errorOf(index)?.code)).toEqual(["EEXIST", "EEXIST"]);
  for (const { reason } of result.report.errors) expect(reason).toMatch(/: ufid:[0-9a-f-]+ \S+$/);
  for (const { reason } of result.report.errors) expect(reason).toEndWith(` ${wide}`);
  // A flow by itself is told the same.
  for (const [send, code] of [
    [() => opened.put(`${match("10.0.0.1")} 3`), "EEXIST"],
    [() => opened.add(`${match("10.0.0.2")} 3`), "EEXIST"],
  ] as const) {
    expect(failure(send)).toMatchObject({ code, reason: expect.stringContaining(` ${wide}`) });
  }
  expect(failure(() => opened.add(`${match("10.0.0.0/8")} 3`))?.message).not.toContain(wide);
  expect(other.flows).toBe(2);
  opened.flush();
  // The narrow one first, both are there.
  const again = opened.loadSync([`${match("10.0.0.1")} 3`, `${match("10.0.0.0/8")} 2`]);
  expect([again.applied, other.flows]).toEqual([2, 2]);
});

/** Every flow, as ovs-dpctl reads it where it is at hand. */
function heldBy(other: TestDatapath): readonly string[] {
  const dump = HAS_DPCTL
    ? witness("ovs-dpctl", "dump-flows", "-m", other.name)
    : millrace(["dump", "-m", "--dp", other.name]).stdout;
  return dump.trim().split("\n").toSorted();
}

test("flows that overlap are dumped in an order in which they load again", () => {
  using other = new TestDatapath("lang8");
  using opened = Datapath.open(other.name);
  const random = new Random(SEED);
  const bits = (most: number): number => random.below(most);
  // Of a few bits of three fields: many are refused for an overlap, and of those taken many overlap.
  const lines = Array.from({ length: 400 }, (_, index) => {
    const field = (): string => `0.0.0.${bits(64)}/0.0.0.${bits(64)}`;
    const match = `ipv4(src=${field()},dst=${field()},tos=${bits(4)}/${bits(4)},frag=no)`;
    return `in_port(1),eth(),eth_type(0x0800),${match} ${(index % 3) + 1}`;
  });
  opened.loadSync(lines);
  for (const format of ["text", "msgpack"]) {
    const file = join(folder, `overlapping.${format}`);
    const before = heldBy(other);
    witness("sh", "-c", `"${MILLRACE}" dump --format ${format} --dp ${other.name} >"${file}"`);
    opened.flush();
    const load = millrace(["load", file, "--dp", other.name, "--json"]);
    expect([load.exitCode, JSON.parse(load.stdout)]).toMatchObject([0, { rejected: 0 }]);
    expect(heldBy(other)).toEqual(before);
  }
  const flows = Array.from(opened.flows(), (flow) => flow.toString());
  expect(flows.length).toBeGreaterThan(50);
  opened.flush();
  expect(opened.loadSync(flows).applied).toBe(flows.length);
});

test("a conntrack helper that the kernel lacks is what a bare EINVAL is put down to", () => {
  using other = new TestDatapath("lang7");
  using opened = Datapath.open(other.name);
  const line =
    "in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp() ct(commit,helper=none-such)";
  const { message } = opened.loadSync([line]).errorOf(0) ?? {};
  expect(message).toContain(
    features.ct ? "no conntrack helper none-such for proto 17" : "connection tracking",
  );
});

test("a refusal for want of a feature names it", () => {
  using other = new TestDatapath("lang3");
  using opened = Datapath.open(other.name);
  const line = "in_port(1),ct_zone(5),eth() 1";
  const result = opened.loadSync([line]);
  if (features.ctZones) {
    expect(result.applied).toBe(1);
    return;
  }
  const message = "this kernel has no conntrack zones (needs Linux 4.3 with NF_CONNTRACK_ZONES)";
  expect(result.errorOf(0)?.message).toBe(`line 1: ${message}`);
  expect(failure(() => opened.put(line))?.message).toBe(message);
});

/** Names that Linux takes for interfaces, all of which text holds. */
const NAMES = [
  "5b45c61b307e_h",
  "1a2b3c4d5e6f708",
  "0xeth",
  "0x",
  "7z",
  "ct",
  "drop",
  "Action3",
  "output",
  "-1",
  "+a-b",
  "a=b{c}",
  "in_port",
  "ufid",
  "\u00e9\u3000.\u2028",
  "\ufeffbom",
  'a"b\\',
];
/** And those that are something else in it. */
const NAMELESS = ["6", "0x3", "08", "a#b", "c,d", "e)f", "g\u0007"];

test("a dump holds the names of ports, and loads by them where they have other numbers", () => {
  using other = new TestDatapath("lang4");
  const all = [...NAMES, ...NAMELESS];
  for (const [i, name] of all.entries()) {
    addPort(other.handle, name, { type: "internal", number: 100 + i });
  }
  const lines = all.map((_, i) => `in_port(${100 + i}),eth() 1,${100 + ((i + 1) % all.length)}`);
  const files = ["text", "jsonl", "msgpack"].map((format) => join(folder, `names.${format}`));
  using opened = Datapath.open(other.name);
  opened.loadSync(lines);
  // In the kernel's words: what comes in by which interface and goes out by which.
  const byName = (): readonly string[] => {
    const names = portNames(other.handle);
    const nameOf = (number: string): string => names.nameOf(Number(number)) ?? number;
    const dump = HAS_DPCTL
      ? witness("ovs-dpctl", "dump-flows", other.name)
      : millrace(["dump", "--dp", other.name]).stdout;
    return Array.from(dump.matchAll(/in_port\((\d+)\).*actions:1,(\d+)/g), ([, from, to]) =>
      JSON.stringify([nameOf(from ?? ""), nameOf(to ?? "")]),
    ).toSorted();
  };
  const wanted = byName();
  expect(wanted.length).toBe(all.length);
  for (const file of files) {
    const format = file.split(".").at(-1) ?? "";
    const { exitCode, output, stderr } = millrace([
      "dump",
      "--names",
      "--format",
      format,
      "--dp",
      other.name,
    ]);
    writeFileSync(file, output);
    expect([exitCode, stderr.match(/^millrace: warning: /gm)?.length]).toEqual([0, 1]);
    // Each that has to be a number is said to be one, and no other.
    for (const [i, name] of all.entries()) {
      const isTold = stderr.includes(`${100 + i} (${JSON.stringify(name)})`);
      expect([name, isTold]).toEqual([name, NAMELESS.includes(name)]);
    }
  }
  for (const [i, name] of NAMES.entries()) {
    deletePort(other.handle, name);
    addPort(other.handle, name, { type: "internal", number: 300 - i });
  }
  for (const file of files) {
    opened.flush();
    expect([file, millrace(["load", file, "--dp", other.name]).exitCode]).toEqual([file, 0]);
    expect(byName()).toEqual(wanted);
  }
  for (const style of [["-m"], ["--names"]]) {
    const { stdout } = millrace(["dump", ...style, "--no-stats", "--dp", other.name]);
    for (const name of NAMES) expect(stdout).toContain(`in_port(${name}),`);
  }
});

testUnless(NO_DPCTL)("what is not sent is what the kernel refuses, as ovs-dpctl finds out", () => {
  const arp = "in_port(1),eth(),eth_type(0x0806)";
  const lines = [
    `${arp},arp(op=257) 1`,
    `${arp},arp(op=256/0xff00) 1`,
    `${arp},arp(op=0x101/0xff) 1`,
    "in_port(1),eth() set(tunnel(dst=1.1.1.1,ttl=64,gtpu(flags=1,msgtype=255))),2",
  ];
  using other = new TestDatapath("lang5");
  using opened = Datapath.open(other.name);
  expect(opened.loadSync(lines).refused).toBe(lines.length);
  const file = join(folder, "refused.txt");
  writeFileSync(file, lines.join("\n"));
  witness("ovs-dpctl", "add-flows", other.name, file);
  expect(other.flows).toBe(0);
});

describeUnless(NO_DPCTL)("what a kernel holds", () => {
  /** Each flow's line, by its in_port, which is its own. */
  const linesOf = (dump: string): ReadonlyMap<string, string> =>
    new Map(byPort(dump).map((line) => [/in_port\((\d+)\)/.exec(line)?.[1] ?? line, line]));

  test.each([
    [
      "put by their keys, by ovs-dpctl",
      (name: string, file: string) => {
        // It says nothing of lines that it cannot read, or that the kernel refuses.
        witness("ovs-dpctl", "add-flows", name, file);
      },
    ],
    [
      "put by UFIDs, by millrace",
      (name: string, file: string) => {
        millrace(["load", file, "--dp", name]);
      },
    ],
  ])("of flows %s is dumped by millrace dpctl byte for byte as by ovs-dpctl", async (_, put) => {
    using other = new TestDatapath("lang1");
    const known = taken.filter(isKnown);
    const file = join(folder, "flows.txt");
    writeFileSync(file, [...known, ...oddRanges(1000 + taken.length)].join("\n"));
    put(other.name, file);
    expect(other.flows).toBeGreaterThan(known.length / 2);
    // Some ports have names, as some flows have actions that name them.
    for (const number of [1000, 1001, 1002]) {
      addPort(other.handle, `lang1-${number}`, { type: "internal", number });
    }
    for (const style of [[], ["-m"], ["--names"], ["-m", "--no-names"]]) {
      const args = [...style, "dump-flows", other.name];
      const theirs = byPort(witness("ovs-dpctl", ...args));
      const ours = byPort(millrace(["dpctl", ...args]).stdout);
      expect(ours.length).toBe(other.flows);
      const wrong = ours.filter((line, i) => line !== theirs[i]);
      expect(wrong.map((line) => `${theirs[ours.indexOf(line)]}\n  ${line}`)).toEqual([]);
    }
  });

  test("by ovs-dpctl's doing is dumped by millrace as the same flows", () => {
    using other = new TestDatapath("lang9");
    const ports = portNames(other.handle);
    const file = join(folder, "flows.txt");
    writeFileSync(file, taken.filter(isSaid).join("\n"));
    witness("ovs-dpctl", "add-flows", other.name, file);
    const theirs = linesOf(witness("ovs-dpctl", "dump-flows", "-m", other.name));
    for (const style of [[], ["-m"]]) {
      const ours = linesOf(millrace(["dump", ...style, "--dp", other.name]).stdout);
      expect([...ours.keys()].toSorted()).toEqual([...theirs.keys()].toSorted());
      const wrong: string[] = [];
      for (const [port, line] of ours) {
        const wanted = theirs.get(port) ?? "";
        if (!sameFlow(line, wanted, ports)) wrong.push(`${wanted}\n  ${line}`);
      }
      expect(wrong).toEqual([]);
    }
  });
});
