import { expect, test } from "bun:test";
import { Datapath, FlowTemplate } from "../../src/index.ts";
import { TestDatapath } from "./lab.ts";

const WEB =
  "in_port(1),eth(),eth_type(0x0800),ipv4(src={src},proto=6,frag=no),tcp(src={port}),tcp_flags(0/0) {out}";
const FLOWS = 3000;

const columns = {
  src: Uint32Array.from({ length: FLOWS }, (_, i) => 0x0a00_0000 + i),
  port: Uint16Array.from({ length: FLOWS }, (_, i) => i * 7),
  out: new Uint8Array(FLOWS).fill(2),
};

/** The same flows as text. */
const lines = Array.from({ length: FLOWS }, (_, i) =>
  WEB.replace("{src}", `10.0.${i >> 8}.${i & 255}`)
    .replace("{port}", String(columns.port[i]))
    .replace("{out}", "2"),
);

function dump(dp: Datapath): string[] {
  return Array.from(dp.flows(), (flow) => flow.toString({ verbose: true })).toSorted();
}

test("a filled template installs what its lines install", async () => {
  using made = new TestDatapath("tmpl0");
  using dp = Datapath.open(made.name);
  const web = FlowTemplate.compile(WEB);
  expect((await dp.load(lines)).applied).toBe(FLOWS);
  const expected = dump(dp);
  expect(expected.length).toBe(FLOWS);
  dp.flush();
  expect(made.flows).toBe(0);
  expect((await dp.load(web.fill(columns))).applied).toBe(FLOWS);
  expect(dump(dp)).toEqual(expected);
  // The same flows once more: they are there, and an exclusive add says so.
  expect((await dp.load(web.fill(columns))).applied).toBe(FLOWS);
  expect((await dp.load(web.fill(columns), { mode: "add" })).rejected).toBe(FLOWS);
  expect(dp.loadSync(web.fill(columns), { mode: "delete" }).applied).toBe(FLOWS);
  expect(made.flows).toBe(0);
  // Without a UFID the key names them.
  const keyed = await dp.load(web.fill(columns), { ufid: false });
  expect([keyed.applied, made.flows]).toEqual([FLOWS, FLOWS]);
  const gone = await dp.load(web.fill(columns), { ufid: false, mode: "delete" });
  expect([gone.applied, made.flows]).toEqual([FLOWS, 0]);
});

test("rows of all kinds are loaded, and those that do not fit are refused by row", async () => {
  using made = new TestDatapath("tmpl1");
  using dp = Datapath.open(made.name);
  const web = FlowTemplate.compile(WEB, { ports: dp.ports() });
  async function* rows(): AsyncGenerator<readonly [string, number, string]> {
    for (let i = 0; i < 5; i++) {
      yield [`10.1.0.${i}`, i === 3 ? 70_000 : i, `${made.name}p2`];
      await Bun.sleep(1);
    }
  }
  const result = await dp.load(web.fill(rows()));
  expect([result.length, result.applied, result.refused]).toEqual([5, 4, 1]);
  expect(result.errorOf(3)?.message).toContain("row 4: {port} is 70000");
  expect(result.errorOf(4)).toBeUndefined();
  const shown = dump(dp);
  expect(shown.length).toBe(4);
  expect(shown.every((line) => line.endsWith("actions:2"))).toBe(true);
});
