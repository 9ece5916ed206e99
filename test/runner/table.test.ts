import { expect, test } from "bun:test";
import { readJunit } from "./junit.ts";
import { tableOf } from "./table.ts";

/** What bun 1.4.5 wrote of a file: a test each that passed, failed, took too long, was skipped; hooks of groups. */
const RECORDED = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="9" assertions="1" failures="3" skipped="4" time="0.141928169">
  <testsuite name="test/flow/a.test.ts" file="test/flow/a.test.ts" tests="9" assertions="1" failures="3" skipped="4" time="0.113861194" hostname="vm">
    <testcase name="ok" classname="" time="0.000041" file="test/flow/a.test.ts" line="2" assertions="0" />
    <testcase name="bad &lt;x&gt; &amp; &apos;y&apos; &quot;z&quot;" classname="" time="0.000718" file="test/flow/a.test.ts" line="2" assertions="1">
      <failure type="AssertionError" message="expect(received).toBe(expected)&#10;&#10;Expected: 2&#10;Received: 1&#10;">AssertionError: expect(received).toBe(expected)&#10;&#10;Expected: 2&#10;Received: 1&#10;&#10;</failure>
    </testcase>
    <testcase name="s # SKIP fish is not installed" classname="" time="0" file="test/flow/a.test.ts" line="2" assertions="0">
      <skipped />
    </testcase>
    <testcase name="slow" classname="" time="0.10115" file="test/flow/a.test.ts" line="3" assertions="0">
      <failure type="TimeoutError" message="test timed out" />
    </testcase>
    <testsuite name="d" file="test/flow/a.test.ts" line="5" tests="1" assertions="0" failures="1" skipped="0" time="0" hostname="vm">
      <testcase name="(unnamed)" classname="d" time="0.000935" file="test/flow/a.test.ts" assertions="0">
        <failure type="Error" message="hook">Error: hook&#10;      at a.test.ts:5:63&#10;</failure>
      </testcase>
    </testsuite>
    <testsuite name="d2 # SKIP it is for x86-64" file="test/flow/a.test.ts" line="6" tests="2" assertions="0" failures="0" skipped="2" time="0" hostname="vm">
      <testcase name="(unnamed)" classname="d2 # SKIP it is for x86-64" time="0.000001" file="test/flow/a.test.ts" assertions="0">
        <skipped />
      </testcase>
      <testcase name="in d2" classname="d2 # SKIP it is for x86-64" time="0" file="test/flow/a.test.ts" line="6" assertions="0">
        <skipped />
      </testcase>
    </testsuite>
  </testsuite>
</testsuites>
`;

/** The same, of a file all of whose tests passed. */
function passed(file: string, tests = ["one"]): string {
  const cases = tests.map(
    (name) =>
      `    <testcase name="${name}" classname="" time="0.01" file="${file}" line="1" assertions="1" />\n`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="${tests.length}" assertions="1" failures="0" skipped="0" time="1.25">
  <testsuite name="${file}" file="${file}" tests="${tests.length}" assertions="1" failures="0" skipped="0" time="1.25" hostname="vm">
${cases.join("")}  </testsuite>
</testsuites>
`;
}

const GOOD = { name: "uml: load", junit: passed("test/kernel/load.kernel.ts"), status: 0 };

test("what bun reports is read: what failed, in a hook too, and why what was skipped", () => {
  const { outcomes, seconds } = readJunit(RECORDED);
  expect(outcomes.map(({ name, state, reason }) => [name, state, reason])).toEqual([
    ["ok", "passed", undefined],
    ["bad <x> & 'y' \"z\"", "failed", undefined],
    ["s # SKIP fish is not installed", "skipped", "fish is not installed"],
    ["slow", "failed", undefined],
    ["d > (unnamed)", "failed", undefined],
    ["d2 # SKIP it is for x86-64 > in d2", "skipped", "it is for x86-64"],
  ]);
  expect([...seconds]).toEqual([["test/flow/a.test.ts", 0.113861194]]);
});

test("a table has a row a part, or a folder of the tests without a kernel, and says why tests were skipped", () => {
  const unit = { name: "unit", junit: RECORDED, status: 1, files: ["test/flow/a.test.ts"] };
  const qemu = {
    name: "qemu: rules",
    junit: undefined,
    status: undefined,
    skipped: "no QEMU here",
  };
  const { text, isGood } = tableOf([unit, GOOD, qemu]);
  expect(text.split("\n").map((line) => line.replace(/ +/g, " "))).toEqual([
    "part passed failed skipped seconds",
    "flow 1 3 2 0.1 fish is not installed; it is for x86-64",
    "uml: load 1 1.3",
    "qemu: rules 1 0.0 no QEMU here",
    "FAILED test/flow/a.test.ts: bad <x> & 'y' \"z\"",
    "FAILED test/flow/a.test.ts: slow",
    "FAILED test/flow/a.test.ts: d > (unnamed)",
    "2 passed, 3 failed, 3 skipped",
  ]);
  expect(isGood).toBe(false);
});

test("what is well is well", () => {
  expect(tableOf([GOOD])).toMatchObject({
    isGood: true,
    text: expect.stringMatching(/\n1 passed, 0 failed, 0 skipped$/),
  });
});

const UNIT = ["test/flow/a.test.ts", "test/load/b.test.ts"];

test.each([
  // A process that died, or said that all is well in the middle of its tests, leaves no report.
  ["a file that crashed", { ...GOOD, junit: undefined, status: 139 }, "ended with status 139"],
  ["a file that ended itself", { ...GOOD, junit: undefined, status: 0 }, "ended with status 0"],
  [
    "a part that was never run",
    { ...GOOD, junit: undefined, status: undefined },
    "uml: load: did not run to its end",
  ],
  [
    "a part that hung",
    { ...GOOD, junit: undefined, status: 124 },
    "uml: load: was ended at its time limit",
  ],
  ["a report that is cut", { ...GOOD, junit: GOOD.junit.slice(0, 300) }, "the report is cut"],
  [
    "a part without tests",
    { ...GOOD, junit: passed("test/kernel/load.kernel.ts", []) },
    "uml: load: no test ran",
  ],
  [
    "a failure of which no test tells",
    { ...GOOD, status: 1 },
    "uml: load: ended with status 1, without saying which test failed",
  ],
  // Bun tells of a file that cannot be loaded in its exit status alone.
  [
    "a file of which nothing is told",
    { name: "unit", junit: passed("test/flow/a.test.ts"), status: 1, files: UNIT },
    "test/load/b.test.ts: none of its tests ran",
  ],
  [
    "a test that is skipped without a reason",
    { ...GOOD, junit: GOOD.junit.replace(" />", "><skipped /></testcase>") },
    "test/kernel/load.kernel.ts: one: skipped, and nobody says why",
  ],
])("%s is a failure", (_, part, said) => {
  const { text, isGood } = tableOf([{ ...GOOD, name: "uml: other" }, part]);
  expect(isGood).toBe(false);
  expect(text).toMatch(/\n1 passed, 1 failed, 0 skipped$|\n2 passed, 1 failed, 0 skipped$/);
  expect(text).toContain(`FAILED  `);
  expect(text).toContain(said);
});

test("a lab that did not boot is a failure, though another one ran its tests; so is a run of nothing", () => {
  const { text, isGood } = tableOf([GOOD], ["the lab of uml ended with status 125"]);
  expect(isGood).toBe(false);
  expect(text).toContain("FAILED  the lab of uml ended with status 125");
  expect(text).toEndWith("1 passed, 1 failed, 0 skipped");
  expect(tableOf([]).isGood).toBe(false);
});
