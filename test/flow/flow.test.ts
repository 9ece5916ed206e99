import { expect, test } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { flowJsonToLine } from "../../src/flow/json.ts";
import { syntaxError } from "./harness.ts";

test("a flow is a line without a verb: what is to be done with it is not its own", () => {
  for (const line of ["del in_port(1),eth()", "mod in_port(1),eth()", "add in_port(1),eth() 2"]) {
    const { found, expected } = syntaxError(() => Flow.parse(line));
    expect([found, expected]).toEqual([
      `"${line.slice(0, 3)}"`,
      "a flow: its key and actions, without a verb",
    ]);
  }
  for (const line of ["", "# in_port(1),eth() 2"])
    expect(syntaxError(() => Flow.parse(line)).expected).toContain("a flow");
  expect(Flow.parse("in_port(1),eth() 2").toString()).toBe("in_port(1),eth(), actions:2");
});

test("verbose with statistics, it is a line of dump-flows -m", () => {
  const text = Flow.parse("in_port(1),eth() 2").toString({ verbose: true, statistics: true });
  expect(text).toEndWith(", packets:0, bytes:0, used:never, dp:ovs, actions:2");
  expect(Flow.parse(text).toString()).toBe("in_port(1),eth(), actions:2");
});

test("a flow shows itself in JSON and to who inspects it", () => {
  const ufid = "ufid:01112233-4455-6677-8899-aabbccddeeff";
  const flow = Flow.parse(`${ufid}, in_port(1),eth(), actions:2`);
  expect(JSON.parse(JSON.stringify(flow))).toEqual({
    ufid: "01112233-4455-6677-8899-aabbccddeeff",
    key: { in_port: 1, eth: {} },
    actions: [{ output: 2 }],
  });
  expect(Flow.parse(flowJsonToLine(flow.toJSON())).toString()).toBe(flow.toString());
  expect(Bun.inspect({ flow })).toContain(`flow: Flow ${flow.toString()}`);
  const counted = Flow.fromParts({ ...flow.parts, packets: 3, byteCount: 180, tcpFlags: 0x12 });
  expect(counted.toJSON()).toMatchObject({ packets: 3, bytes: 180, flags: "S." });
});
