import { expect, test } from "bun:test";
import { runDpctl } from "../../src/cli/dpctl/run.ts";
import { Datapath, monotonicMs } from "../../src/index.ts";
import { HAS_DPCTL, JIFFIES_MS, millrace, TestDatapath, witness } from "./lab.ts";

// When a flow was used last: every way in which it is told, between two answers of ovs-dpctl.

const KEY = "in_port(1),eth(),eth_type(0x88b5)";
const RESTS_MS = 2500;

/** Seconds of `used:` in the only line of a text. */
function usedIn(text: string): number {
  return Number(/used:(\d+\.\d{3})s/.exec(text)?.[1]);
}

async function dpctl(...args: readonly string[]): Promise<string> {
  let out = "";
  const status = await runDpctl(args, {
    out: (part) => (out += typeof part === "string" ? part : new TextDecoder().decode(part)),
    error: (part) => expect(part).toBe(""),
  });
  expect(status).toBe(0);
  return out;
}

test("a flow that rested was used as long ago as the kernel's clock says, and ovs-dpctl", async () => {
  using made = new TestDatapath("used0");
  using dp = Datapath.open(made.name);
  dp.put(`${KEY} 2`);
  expect(dp.get(KEY)?.toString({ statistics: true })).toContain("used:never");
  const packet = new Uint8Array(60).fill(0xff, 0, 6);
  packet.set([0x88, 0xb5], 12);
  const usedAt = monotonicMs();
  dp.execute({ packet, key: "in_port(1)" }, "recirc(0)");
  const executedAt = monotonicMs();
  await Bun.sleep(RESTS_MS);

  const theirs = (): number =>
    HAS_DPCTL ? usedIn(witness("ovs-dpctl", "dump-flows", made.name)) : Number.NaN;
  const name = `ufid:${dp.get(KEY)?.ufid}`;
  const ways: readonly (readonly [string, () => number | Promise<number>])[] = [
    ["Flow.toString", () => usedIn(dp.get(KEY)?.toString({ statistics: true }) ?? "")],
    ["counters", () => (monotonicMs() - ([...dp.flows({ terse: true })][0]?.usedMs ?? 0)) / 1000],
    ["dump", () => usedIn(millrace(["dump", "--dp", made.name]).stdout)],
    ["dump -m", () => usedIn(millrace(["dump", "-m", "--dp", made.name]).stdout)],
    ["dump --json", () => JSON.parse(millrace(["dump", "--json", "--dp", made.name]).stdout).used],
    ["flow get", () => usedIn(millrace(["flow", "get", name, "--dp", made.name]).stdout)],
    ["dpctl dump-flows", async () => usedIn(await dpctl("dump-flows", made.name))],
    ["dpctl -m dump-flows", async () => usedIn(await dpctl("-m", "dump-flows", made.name))],
    ["dpctl get-flow", async () => usedIn(await dpctl("get-flow", made.name, name))],
  ];
  const slack = JIFFIES_MS / 1000;
  let before = theirs();
  for (const [way, used] of ways) {
    const earliest = (monotonicMs() - executedAt) / 1000 - slack;
    const told = await used();
    const latest = (monotonicMs() - usedAt) / 1000 + slack;
    expect([way, told >= earliest, told <= latest]).toEqual([way, true, true]);
    if (!HAS_DPCTL) continue;
    const after = theirs();
    expect([way, told >= before - slack, told <= after + slack]).toEqual([way, true, true]);
    before = after;
  }
  if (HAS_DPCTL) expect(before).toBeGreaterThan(RESTS_MS / 1000);
});

test("the counters that a change answers with tell it, too", async () => {
  using made = new TestDatapath("used1");
  using dp = Datapath.open(made.name);
  expect(await dpctl("add-flow", made.name, KEY, "2")).toBe("");
  const packet = new Uint8Array(60).fill(0xff, 0, 6);
  packet.set([0x88, 0xb5], 12);
  dp.execute({ packet, key: "in_port(1)" }, "recirc(0)");
  await Bun.sleep(1200);
  const started = witness("ovs-dpctl", "dump-flows", made.name);
  const told = await dpctl("-s", "mod-flow", made.name, KEY, "drop");
  const ended = witness("ovs-dpctl", "dump-flows", made.name);
  expect(usedIn(told)).toBeGreaterThanOrEqual(usedIn(started) - JIFFIES_MS / 1000);
  expect(usedIn(told)).toBeLessThanOrEqual(usedIn(ended) + JIFFIES_MS / 1000);
  expect(usedIn(told)).toBeGreaterThan(1.1);
});
