import { afterAll, beforeAll, expect, test } from "bun:test";
import { FlowSampler } from "../../src/cli/top/sampler.ts";
import { Datapath } from "../../src/datapath.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { addPort } from "../../src/ovs/vport.ts";
import { millrace, TestDatapath, witness } from "./lab.ts";
import { limit } from "../runner/limit.ts";
import { pingCommand } from "./net.ts";

// Two namespaces, each with one end of a veth pair in it; their other ends are ports 3 and 4.
const dp = new TestDatapath("top0");
const A_TO_B = "in_port(3),eth(),eth_type(0x0800),ipv4(frag=no) 4";
const B_TO_A = "in_port(4),eth(),eth_type(0x0800),ipv4(frag=no) 3";

beforeAll(() => {
  for (const [name, number] of [
    ["a", 3],
    ["b", 4],
  ] as const) {
    witness("ip", "netns", "add", `top-${name}`);
    witness("ip", "link", "add", `top-${name}0`, "type", "veth", "peer", "name", `top-${name}1`);
    witness("ip", "link", "set", `top-${name}1`, "netns", `top-${name}`);
    witness("ip", "link", "set", `top-${name}0`, "up");
    const inside = ["ip", "-n", `top-${name}`];
    witness(...inside, "address", "add", `10.9.0.${number}/24`, "dev", `top-${name}1`);
    witness(...inside, "link", "set", `top-${name}1`, "up");
    addPort(dp.channel, dp.info, `top-${name}0`, { number });
  }
  using datapath = Datapath.open(dp.name);
  datapath.put(A_TO_B);
  datapath.put(B_TO_A);
  datapath.put("in_port(3),eth(),eth_type(0x0806),arp() 4");
  datapath.put("in_port(4),eth(),eth_type(0x0806),arp() 3");
});

afterAll(() => {
  for (const name of ["top-a", "top-b"]) witness("ip", "netns", "del", name);
  dp[Symbol.dispose]();
});

/** A program of its own sends while the test looks: an echo every 10 ms. */
function ping(count: number): Bun.Subprocess {
  const command = pingCommand("top-a", "-q", "-i", "0.01", "-c", `${count}`, "10.9.0.4");
  return Bun.spawn(command, { stdout: "ignore", stderr: "ignore" });
}

test(
  "--once --json shows the flows that packets take, by their rate",
  async () => {
    const child = ping(1500);
    try {
      const startedAt = performance.now();
      const { exitCode, stdout, stderr } = millrace([
        "top",
        "--dp",
        dp.name,
        "--once",
        "--json",
        "--interval",
        "2",
        "--filter",
        "ipv4",
      ]);
      expect([exitCode, stderr]).toEqual([0, ""]);
      const sample = JSON.parse(stdout);
      expect(sample).toMatchObject({ datapath: dp.name, flows: 4 });
      expect(sample.seconds).toBeGreaterThan(1.9);
      expect(sample.seconds).toBeLessThan((performance.now() - startedAt) / 1000);
      expect(sample.busiest.length).toBe(2);
      for (const flow of sample.busiest) {
        expect(flow.flow).toContain("ipv4(frag=no)");
        expect(flow.packetsPerSecond).toBeGreaterThan(1);
        expect(flow.packetsPerSecond).toBeLessThan(200);
        // An echo has 98 bytes on the wire, and the datapath counts them all.
        expect(flow.bytesPerSecond / flow.packetsPerSecond).toBeCloseTo(98, 0);
      }
      const text = millrace(["top", "--dp", dp.name, "--once", "--interval", "0.5"]).stdout;
      expect(text).toMatch(/top0 {2}4 flows, \d busy/);
      expect(text).toMatch(/packets\/s↓ +bytes\/s {2}flow/);
    } finally {
      child.kill();
      await child.exited;
    }
  },
  limit(60),
);

test(
  "20,000 flows are looked at",
  async () => {
    using many = new TestDatapath("top1");
    using datapath = Datapath.open(many.name);
    const lines = Array.from({ length: 20_000 }, (_, i) => sampleLine(i));
    expect((await datapath.load(lines)).applied).toBe(20_000);
    const sampler = new FlowSampler(many.channel, many.name);
    sampler.sample("packets", 20);
    expect(sampler.sample("bytes", 20)).toMatchObject({
      flows: 20_000,
      activeFlows: 0,
      busiest: [],
    });
  },
  limit(120),
);

test(
  "wants a datapath and an interval that can be",
  () => {
    expect(millrace(["top", "--dp", "absent", "--once"]).exitCode).toBe(3);
    expect(millrace(["top", "--dp", dp.name, "--interval", "0"]).exitCode).toBe(2);
  },
  limit(30),
);
