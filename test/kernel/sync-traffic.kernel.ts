import { expect, setDefaultTimeout, test } from "bun:test";
import { sampleLine } from "../../src/format/sample.ts";
import { limit } from "../runner/limit.ts";
import { addressOf, pingCommand, TestNetwork } from "./net.ts";

setDefaultTimeout(limit(300));

/** By night 50,000. */
const FLOWS = Number(process.env["MILLRACE_TRAFFIC_FLOWS"] ?? 3000);
const TURNS = 20;
/** What a TCP transfer sends between two syncs. */
const PIECE: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 500_000 },
  (_, i) => (i * 31) >> 3,
);

/** Flows that carry the traffic: those from machine 1 to 2 have other actions in each set, those back have not. */
const carrying = (forth: string): string[] => [
  "in_port(1),eth(),eth_type(0x0806),arp() 2",
  "in_port(2),eth(),eth_type(0x0806),arp() 1",
  `in_port(1),eth(),eth_type(0x0800),ipv4(proto=1,frag=no),icmp() ${forth}2`,
  "in_port(2),eth(),eth_type(0x0800),ipv4(proto=1,frag=no),icmp() 1",
  `in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(),tcp_flags(0/0) ${forth}2`,
  "in_port(2),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(),tcp_flags(0/0) 1",
];

/** Flows of a port that is not there: nine in ten are in both sets, some of them with other actions. */
function filler(set: 0 | 1): string[] {
  const own = FLOWS / 10;
  return Array.from({ length: FLOWS }, (_, i) => {
    const line = sampleLine(i < own ? 1_000_000 * (set + 1) + i : i).replace(
      "in_port(1)",
      "in_port(9)",
    );
    return i % 50 === 49 ? line.replace(/2$/, set === 0 ? "2" : "1") : line;
  });
}

const SETS: readonly (readonly string[])[] = [
  [...carrying(""), ...filler(0)],
  [...carrying("set(ipv4(ttl=60)),"), ...filler(1)],
];

/** Pings until it is told to end. @returns the sequence numbers that did not come back, of how many */
function startPing(from: string, to: string) {
  const child = Bun.spawn(pingCommand(from, "-i", "0.01", "-W", "5", to), {
    stdout: "pipe",
    stderr: "pipe",
  });
  return async (): Promise<{ lost: number[]; sent: number }> => {
    child.kill("SIGINT");
    const output = await new Response(child.stdout).text();
    const came = new Set([...output.matchAll(/\bseq=(\d+)/g)].map(([, seq]) => Number(seq)));
    const last = Math.max(-1, ...came);
    // The last ones were on their way when it ended.
    const lost = Array.from({ length: last + 1 }, (_, seq) => seq).filter((seq) => !came.has(seq));
    return { lost, sent: last + 1 };
  };
}

test(`no packet is lost while ${FLOWS} flows are synced back and forth between two sets, ${TURNS} times`, async () => {
  using net = new TestNetwork("sy1", 2);
  const { dp } = net;
  const [one = "", two = ""] = net.machines;
  const sync = async (set: number): Promise<void> => {
    const result = await dp.sync([...(SETS[set] ?? [])]);
    expect(result).toMatchObject({ ended: "complete", failed: 0, unknown: 0, conflicts: [] });
    expect([result.added, result.deleted]).toEqual([FLOWS / 10, FLOWS / 10]);
    expect(result.changed).toBeGreaterThan(FLOWS / 100);
    expect(result.sent).toBe(result.added + result.deleted + result.changed);
  };
  expect((await dp.sync([...(SETS[0] ?? [])])).added).toBe(FLOWS + 6);
  const listener = Bun.spawn(["ip", "netns", "exec", two, "busybox", "nc", "-l", "-p", "5001"], {
    // Not at its end: that would end the connection.
    stdin: "pipe",
    stdout: "pipe",
  });
  const received = new Response(listener.stdout).arrayBuffer();
  const end = startPing(one, addressOf(2));
  await Bun.sleep(300);
  const sender = Bun.spawn(["ip", "netns", "exec", one, "busybox", "nc", addressOf(2), "5001"], {
    stdin: "pipe",
    stdout: "ignore",
  });
  for (let turn = 1; turn <= TURNS; turn++) {
    void sender.stdin.write(PIECE);
    await sender.stdin.flush();
    await sync(turn % 2);
    await Bun.sleep(20);
  }
  const { lost, sent } = await end();
  expect({ lost, many: sent > 50 }).toEqual({ lost: [], many: true });
  await sender.stdin.end();
  const came = new Uint8Array(await received);
  sender.kill("SIGTERM");
  expect(came.length).toBe(TURNS * PIECE.length);
  for (let at = 0; at < came.length; at += PIECE.length) {
    expect(Buffer.compare(came.subarray(at, at + PIECE.length), PIECE)).toBe(0);
  }
  expect([...dp.flows()].length).toBe(FLOWS + 6);
});

test("the other order loses some: what changes is deleted first, in a call of its own, and put after a pause", async () => {
  using net = new TestNetwork("sy2", 2);
  const { dp } = net;
  const [one = ""] = net.machines;
  await dp.load([...carrying("")]);
  const end = startPing(one, addressOf(2));
  await Bun.sleep(300);
  const [, , changing = ""] = carrying("");
  for (let turn = 1; turn <= 3; turn++) {
    dp.remove(changing);
    await Bun.sleep(200);
    dp.put(changing);
    await Bun.sleep(100);
  }
  const { lost, sent } = await end();
  expect([lost.length > 0, sent > lost.length]).toEqual([true, true]);
});
