/** Single calls act on the flow that is meant, over the kernel in memory: the kernel itself compares less. */
import { expect, test } from "bun:test";
import { Datapath } from "../src/datapath.ts";
import { FlowRejectedError } from "../src/flow/rules/errors.ts";
import { FlowSyntaxError } from "../src/flow/text/syntax-error.ts";
import { MemoryKernel } from "../src/testing/index.ts";

const match = (src: string): string => `in_port(1),eth(),eth_type(0x0800),ipv4(src=${src},frag=no)`;
const NARROW = match("10.0.0.0/255.255.0.0");
/** Has the bytes of the other one's key. */
const WIDE = match("10.0.0.0/255.0.0.0");
const GIVEN = "ufid:01020304-0506-0708-090a-0b0c0d0e0f10";

/** A datapath that holds a flow. */
function holding(line: string, ufid: boolean): Datapath {
  const dp = Datapath.create("one0", { kernel: new MemoryKernel() });
  dp.addPort("a", { type: "internal" });
  expect(dp.loadSync([line], { ufid }).applied).toBe(1);
  return dp;
}

/** What every single call does with a flow: it changes nothing where it finds none. */
function ask(dp: Datapath, flow: string) {
  const before = [...dp.flows()].map(String);
  const found = dp.get(flow)?.toString();
  const isCleared = dp.clear(flow);
  let isModified = true;
  try {
    dp.modify(`${flow} 7`);
  } catch {
    isModified = false;
  }
  const isRemoved = dp.remove(flow);
  const left = [...dp.flows()].map(String);
  return { found, isCleared, isModified, isRemoved, isAsBefore: Bun.deepEquals(left, before) };
}

const NOTHING = {
  found: undefined,
  isCleared: false,
  isModified: false,
  isRemoved: false,
  isAsBefore: true,
};
const DONE = { isCleared: true, isModified: true, isRemoved: true, isAsBefore: false };

test.each([
  ["of the same key and another mask", NARROW, false, WIDE],
  [
    "of the same UFID and another key",
    `${GIVEN} ${match("1.1.1.1")}`,
    true,
    `${GIVEN} ${match("2.2.2.2")}`,
  ],
  ["of another UFID", `${GIVEN} ${NARROW}`, true, NARROW],
  ["that has no UFID, where one is given", NARROW, false, `${GIVEN} ${NARROW}`],
])("no call touches a flow %s", (_, held, ufid, asked) => {
  using dp = holding(`${held} 1`, ufid);
  expect(ask(dp, asked)).toEqual(NOTHING);
});

test.each([
  ["its hash", NARROW, true, NARROW],
  ["its key, where it has no UFID", NARROW, false, NARROW],
  ["a given UFID and its key", `${GIVEN} ${NARROW}`, true, `${GIVEN} ${NARROW}`],
])("a flow is found by %s", (_, held, ufid, asked) => {
  using dp = holding(`${held} 1`, ufid);
  const { found, ...done } = ask(dp, asked);
  expect(found).toEndWith(`${NARROW}, actions:1`);
  expect(done).toEqual(DONE);
});

test("of a key that no kernel takes, the rule is told and not the kernel's errno", () => {
  using dp = holding(`${NARROW} 1`, true);
  expect(() => dp.get("in_port(1)")).toThrow(
    "eth() or eth_type(): the kernel requires one of them",
  );
  expect(dp.get("in_port(1),eth()")).toBeUndefined();
});

test.each([
  ["of no flow", "in_port(1),nonsense() 2", FlowSyntaxError, "FLOW_SYNTAX"],
  ["of a key that no kernel takes", "in_port(1) 2", FlowRejectedError, "EINVAL"],
] as const)("a put of a text %s throws what a load has for it", (_, text, kind, code) => {
  using dp = holding(`${NARROW} 1`, true);
  const put = expect(() => dp.put(text));
  put.toThrow(kind);
  put.toThrow(expect.objectContaining({ code }));
  const loaded = dp.loadSync([text]).errorOf(0);
  expect(loaded).toBeInstanceOf(kind);
  expect(loaded?.code).toBe(code);
});
