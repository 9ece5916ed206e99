import { expect, test } from "bun:test";
import { Datapath } from "../../src/index.ts";
import { millrace, TestDatapath } from "./lab.ts";

const UFID = "ufid:00000001-0000-0000-0000-000000000000";

test("mod-flow DP FLOW leaves a flow its actions, and a datapath where a flow goes is called one", () => {
  using made = new TestDatapath("mod0");
  using dp = Datapath.open(made.name);
  dp.loadSync([`${UFID},in_port(1),eth() 2`]);
  expect(millrace(["dpctl", "add-flow", made.name, "in_port(2),eth()", "1"]).exitCode).toBe(0);
  const dpctl = (...args: readonly string[]): readonly [number, string] => {
    const { exitCode, stderr } = millrace(["dpctl", ...args]);
    return [exitCode, stderr.split("\n")[0] ?? ""];
  };
  const failed = (message: string): readonly [number, string] => [1, `millrace dpctl: ${message}`];
  for (const flow of [UFID, `${UFID},in_port(1),eth()`, "in_port(2),eth()"]) {
    expect(dpctl("mod-flow", made.name, flow)).toEqual([0, ""]);
    expect(dpctl("--clear", "mod-flow", made.name, flow)).toEqual([0, ""]);
  }
  const actions = Array.from(dp.flows(), (flow) => flow.toString().split("actions:")[1]);
  expect(new Set(actions)).toEqual(new Set(["1", "2"]));
  const none = "ufid:00000009-0000-0000-0000-000000000000";
  expect(dpctl("mod-flow", made.name, none)[0]).toBe(1);
  const isNoFlow = `"${made.name}" is a datapath, not a flow`;
  // A UFID of few bytes leaves a line as short as a UUID alone: its key is compared all the same.
  dp.loadSync(["ufid:0x01,in_port(3),eth() 2"]);
  for (const command of ["mod-flow", "del-flow"]) {
    const [exitCode, said] = dpctl(command, made.name, "ufid:0x01,in_port(4),eth()");
    expect([exitCode, said]).toEqual([
      1,
      expect.stringContaining("that of another flow: ufid:0x01"),
    ]);
  }
  expect(made.flows).toBe(3);
  expect(dpctl("add-flow", made.name, "ufid:0x01,in_port(4),eth(x)", "2")[1]).toContain(
    "parsing flow key (column 26",
  );
  expect(dpctl("del-flow", made.name, "ufid:0x01")).toEqual([0, ""]);
  expect(made.flows).toBe(2);
  expect(dpctl("add-flow", made.name, "in_port(3),eth()")).toEqual(
    failed(`parsing flow key (Invalid argument): ${isNoFlow}: the actions are missing`),
  );
  expect(dpctl("del-flow", made.name)).toEqual(
    failed(`parsing flow key (Invalid argument): ${isNoFlow}: the flow is missing`),
  );
  expect(dpctl("get-flow", made.name)).toEqual(
    failed(`parsing flow ufid (Invalid argument): ${isNoFlow}: the flow is missing`),
  );
  expect(dpctl("mod-flow", "none0", "in_port(2),eth()")[1]).toContain(
    'nor is there a datapath "none0"',
  );
});
