import { expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath } from "../../src/datapath.ts";
import { failure, millrace, TestDatapath } from "./lab.ts";

/*
 * What was found out about the requests of one batch says nothing of those of the next one, which have the
 * same places.
 */

const ip = (src: string): string => `in_port(1),eth(),eth_type(0x0800),ipv4(src=${src},frag=no)`;
const NARROW = ip("10.1.0.0/16");
const WIDE = ip("10.0.0.0/8");
const HELD = ip("192.168.0.1");
const GIVEN = "ufid:01020304-0506-0708-090a-0b0c0d0e0f10";

test("a batch takes no line without a flow: as a request it would name none", () => {
  using dp = new TestDatapath("batches2");
  using opened = Datapath.open(dp.name);
  using batch = opened.batch();
  for (const line of ["", "  ", "# a comment"]) {
    expect(failure(() => batch.add(line))).toMatchObject({
      code: "FLOW_SYNTAX",
      reason: expect.stringContaining("expected a flow: its key and actions"),
    });
  }
  batch.add(`${HELD} 1`);
  expect([batch.pending, batch.flush()]).toEqual([1, { applied: 1, exceptions: [] }]);
});

test("a UFID that is shorter than a UUID is read and told as one text everywhere", async () => {
  using dp = new TestDatapath("batches3");
  using opened = Datapath.open(dp.name);
  const line = `ufid:0x0a0b, ${HELD}, actions:1`;
  opened.put(line);
  const told = ["dump", "-m", "--no-stats", "--dp", dp.name];
  const dumped = millrace(told).stdout;
  expect(dumped).toStartWith("ufid:0x0a0b, ");
  expect([...opened.flows({ terse: true })].map(({ ufid }) => ufid)).toEqual(["0x0a0b"]);
  expect(millrace(["dpctl", "-m", "dump-flows", dp.name]).stdout).toStartWith("ufid:0x0a0b, ");
  expect(millrace(["flow", "get", "ufid:0x0a0b", "--dp", dp.name]).stdout).toContain(
    "src=192.168.0.1,",
  );
  const { report } = await opened.load([`modify ufid:0x0c ${NARROW}`, `ufid:0x0a0b ${NARROW} 1`]);
  expect(report.errors.map(({ reason }) => reason)).toEqual([
    "there is no such flow",
    expect.stringContaining("its UFID is that of another flow: ufid:0x0a0b "),
  ]);
  const folder = mkdtempSync(join(tmpdir(), "batches-"));
  for (const format of ["text", "jsonl"]) {
    const file = join(folder, format);
    writeFileSync(file, millrace([...told, "--format", format]).output);
    expect(opened.remove("ufid:0x0a0b")).toBe(true);
    expect(millrace(["load", file, "--dp", dp.name]).exitCode).toBe(0);
    expect(millrace(told).stdout).toBe(dumped);
  }
  expect(millrace(["flow", "del", "ufid:0x0a0b", "--dp", dp.name]).exitCode).toBe(0);
  expect(dp.flows).toBe(0);
});

/** Three flows a batch. */
const BATCHING = { messagesPerDatagram: 1, datagramsPerCall: 3 } as const;

test("a put that a later one of its batch made good for is another one's in the next batch", async () => {
  using dp = new TestDatapath("batches0");
  using opened = Datapath.open(dp.name);
  opened.put(`${WIDE} 1`);
  opened.put(`${HELD} 1`);
  const batches = [
    [`${NARROW} 1`, `delete ${WIDE}`, `${NARROW} 2`],
    [`${HELD} 2`, `${ip("192.168.0.2")} 1`, `${ip("192.168.0.3")} 1`],
  ];
  const result = await opened.load(batches.flat(), { batching: BATCHING });
  expect(result.report.batches).toBe(2);
  expect(batches.flat().map((_, i) => result.stateOf(i))).toEqual([
    "rejected",
    ...Array.from({ length: 5 }, () => "applied" as const),
  ]);
  expect(opened.get(HELD)?.toString()).toEndWith("actions:2");
  expect(opened.get(NARROW)?.toString()).toEndWith("actions:2");
});

test("a flow that is in one batch's way is not named for the next batch", async () => {
  using dp = new TestDatapath("batches1");
  using opened = Datapath.open(dp.name);
  opened.put(`${GIVEN} ${HELD} 1`);
  opened.put(`${NARROW} 1`);
  const other = [2, 3, 4, 5].map((last) => `${ip(`192.168.0.${last}`)} 1`);
  const [a = "", b = "", c = "", d = ""] = other;
  const lines = [`${GIVEN} ${ip("172.16.0.1")} 1`, a, b, `add ${NARROW} 1`, c, d];
  const result = await opened.load(lines, { batching: BATCHING });
  const [first, second] = result.report.errors;
  expect([first?.line, second?.line, result.report.batches]).toEqual([1, 4, 2]);
  expect(first?.reason).toContain("its UFID is that of another flow");
  expect(second?.reason).not.toContain("UFID");
});
