import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";
import { millrace, NO_DPCTL, TestDatapath, witness } from "./lab.ts";

setDefaultTimeout(limit(60));

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

/** A flow with a mask of its own, which overlaps no other one. */
const FEW = Array.from(
  { length: 60 },
  (_, i) =>
    `in_port(2),eth(),eth_type(0x0800),ipv4(src=10.0.0.${i},dst=0.0.0.0/0.0.0.${i + 1},frag=no) 1`,
);
const MANY = Array.from({ length: 500 }, (_, i) => sampleLine(i));

function wide(address: string, bits: number): string {
  const mask = ["0.0.0.0", "255.0.0.0", "255.255.0.0", "255.255.255.0"][bits / 8] ?? "";
  return `in_port(3),eth(),eth_type(0x0800),ipv4(src=${address}/${mask},frag=no) ${bits}`;
}

/** Flows of one port that overlap: whether the kernel takes one rests on which came first. */
const NESTED = [
  // The narrow one first: the kernel takes both.
  wide("10.1.1.0", 24),
  wide("10.1.0.0", 16),
  // The wide one first: it refuses the others.
  wide("20.0.0.0", 8),
  wide("20.2.2.0", 24),
  wide("20.3.0.0", 16),
];

/** What the kernel holds, as ovs-dpctl reads it; its ports have the datapath's name in theirs. */
function held(dp: string): string[] {
  const text = witness("ovs-dpctl", "dump-flows", "-m", dp).trim().replaceAll(dp, "dp");
  return text
    .split("\n")
    .map((line) => line.replace(/, packets:.*actions:/, " "))
    .sort();
}

testUnless(NO_DPCTL)(
  "load --order fast leaves the flows that the file's order leaves, overlapping ones too",
  () => {
    using plain = new TestDatapath("or1");
    using fast = new TestDatapath("or2");
    const lines = [...FEW.slice(0, 30), ...NESTED, ...FEW.slice(30), "# now the many", ...MANY];
    const file = fileOf("nested.txt", lines);
    const [one, other] = [plain, fast].map(({ name }, i) =>
      millrace(["load", file, "--dp", name, "--json", "--order", i === 0 ? "file" : "fast"]),
    );
    const [before, after] = [one, other].map((run) => JSON.parse(run?.stdout ?? ""));
    expect([one?.exitCode, other?.exitCode]).toEqual([1, 1]);
    const rejected = [before, after].map(({ errors }) =>
      errors.map(({ line, code, text }: Record<string, unknown>) => [line, code, text]),
    );
    expect(rejected[0]).toMatchObject([
      [34, "EEXIST", lines[33]],
      [35, "EEXIST", lines[34]],
    ]);
    expect(rejected[1]).toEqual(rejected[0] ?? []);
    expect(held(fast.name)).toEqual(held(plain.name));
    expect(held(fast.name)).toHaveLength(563);
    expect(before.order).toBeUndefined();
    expect(after.order).toMatchObject({ order: "masks", masks: 64, reason: "" });
    expect(after.order.walked).toBeLessThan(after.order.walkedInFileOrder / 4);
    expect([before.lines, after.lines]).toEqual([566, 566]);
  },
);

test("load --order fast says what it did, and verifies it", () => {
  using dp = new TestDatapath("or3");
  const file = fileOf("apart.txt", [...FEW, ...MANY]);
  const load = ["load", "--dp", dp.name, "--order", "fast"];
  const first = millrace([...load, file, "--verify"]);
  expect([first.exitCode, first.stdout]).toEqual([
    0,
    expect.stringMatching(
      /order +another one than the file's: of 61 masks a put walks [\d.]+, not/,
    ),
  ]);
  expect(first.stdout).toContain("560 of 560 flows found");
  const piped = millrace([...load, "-"], MANY.join("\n"));
  expect([piped.exitCode, piped.stdout]).toEqual([
    0,
    expect.stringContaining("that of the file: the input cannot be read twice"),
  ]);
  // One mask has one order.
  expect(millrace([...load, fileOf("one.txt", MANY)]).stdout).not.toContain("order ");
});

for (const way of ["compiled", "fast"]) {
  testUnless(NO_DPCTL)(`a load in another order (${way}) takes back exactly what it did`, () => {
    using dp = new TestDatapath("or4");
    millrace(["load", fileOf("there.txt", [sampleLine(3)]), "--dp", dp.name]);
    const before = held(dp.name);
    // Sent last, and refused: everything else was done by then.
    const lines = [wide("20.0.0.0", 8), wide("20.2.2.0", 24), ...FEW, ...MANY];
    let file = fileOf("half.txt", lines);
    if (way === "compiled") {
      const set = join(folder, "half.set");
      expect(millrace(["compile", file, "-o", set]).exitCode).toBe(0);
      file = set;
    }
    const order = way === "fast" ? ["--order", "fast"] : [];
    const options = ["--on-error", "rollback", "--batch-flows", "100", "--json", ...order];
    const { exitCode, stdout } = millrace(["load", file, "--dp", dp.name, ...options]);
    const report = JSON.parse(stdout);
    expect([exitCode, report.ended, report.rolledBack.failed]).toEqual([1, "stopped", 0]);
    expect(report.rolledBack.sent).toBeGreaterThan(500);
    expect(held(dp.name)).toEqual(before);
  });
}
