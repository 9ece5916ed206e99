import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FlowSampler } from "../../src/cli/top/sampler.ts";
import { Datapath } from "../../src/datapath.ts";
import { addPort } from "../../src/ovs/vport.ts";
import { onTerminal } from "../cli/on-terminal.ts";
import { MILLRACE, millrace, TestDatapath, witness } from "./lab.ts";
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
    addPort(dp.handle, `top-${name}0`, { number });
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

/** A flow of a station of its own, after recirculation. */
function busyLine(index: number): string {
  const [address] = stationOf(index);
  return `recirc_id(0x5),in_port(1),eth(src=${address},dst=02:00:00:00:00:01),eth_type(0x88b5) drop`;
}

function packetOf(index: number): Uint8Array {
  const [, hex] = stationOf(index);
  return Uint8Array.fromHex(`020000000001${hex}88b5${"00".repeat(46)}`);
}

function stationOf(index: number): [address: string, hex: string] {
  const hex = `020000${index.toString(16).padStart(6, "0")}`;
  return [hex.replaceAll(/..(?=.)/g, "$&:"), hex];
}

/** How often the event loop runs, and how long it does not, until `end` is called. */
function watchEventLoop(): { end: () => { times: number; longestMs: number } } {
  let [times, longestMs, last] = [0, 0, performance.now()];
  const look = (): void => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
    times++;
  };
  const timer = setInterval(look, 1);
  return {
    end: () => {
      look();
      clearInterval(timer);
      return { times, longestMs };
    },
  };
}

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
      // The echoes go on: a filter without them leaves their flows out, one of them shows no other.
      const busiest = (where: string): string[] => {
        const args = ["top", "--dp", dp.name, "--once", "--json", "--where", where];
        const sampled: { busiest: { flow: string }[] } = JSON.parse(millrace(args).stdout);
        return sampled.busiest.map((each) => each.flow).filter((each) => each.includes("ipv4("));
      };
      expect([busiest("ipv4 and output = 4").length, busiest("not ipv4").length]).toEqual([1, 0]);
    } finally {
      child.kill();
      await child.exited;
    }
  },
  limit(60),
);

describe("with 100,000 flows, many of them busy", () => {
  const FLOWS = 100_000;
  const many = new TestDatapath("top1");
  const datapath = Datapath.open(many.name);
  afterAll(() => {
    datapath[Symbol.dispose]();
    many[Symbol.dispose]();
  });

  beforeAll(async () => {
    const lines = Array.from({ length: FLOWS }, (_, i) => busyLine(i));
    expect((await datapath.load(lines)).applied).toBe(FLOWS);
  }, limit(120));

  /** Sends each fifth flow a packet: through recirculation it meets flows as any packet does. */
  function send(): void {
    for (let i = 0; i < FLOWS; i += 5) {
      datapath.execute({ packet: packetOf(i), key: "in_port(1)" }, "recirc(5)");
    }
  }

  test(
    "a look and a filter let the event loop run, and what is shown is of one look",
    async () => {
      const { signal } = new AbortController();
      const sampler = new FlowSampler(many.channel, many.name);
      await sampler.look(signal);
      send();
      const gaps = watchEventLoop();
      const beganAt = performance.now();
      const looked = sampler.look(signal);
      await Bun.sleep(1);
      // In the middle of a look the last one counts.
      expect(sampler.sample("packets", 20).activeFlows).toBe(0);
      await looked;
      expect(sampler.sample("bytes", 20)).toMatchObject({ flows: FLOWS, activeFlows: FLOWS / 5 });
      sampler.filter = "src=02:00:00:00:00:0a";
      expect([sampler.isJudging, sampler.sample("packets", 20).busiest]).toEqual([true, []]);
      await sampler.judge(signal);
      expect(sampler.isJudging).toBe(false);
      const { busiest } = sampler.sample("packets", 20);
      expect(busiest.map(({ flow }) => flow)).toEqual([expect.stringContaining("00:00:0a")]);
      const { longestMs, times } = gaps.end();
      expect(times).toBeGreaterThan(5);
      // A part of the time that they take, however busy the machine is.
      expect(longestMs).toBeLessThan((performance.now() - beganAt) / 3);
    },
    limit(240),
  );

  test(
    "a key is answered at once, in the middle of a look as well",
    async () => {
      const args = ["top", "--dp", many.name, "--interval", "0.5"];
      const terminal = onTerminal([MILLRACE, ...args], { size: { cols: 100, rows: 20 } });
      await terminal.shows("100,000 flows");
      send();
      await terminal.shows(/[1-9][\d,]* busy/);
      const answers: number[] = [];
      const press = async (keys: string, answer: string): Promise<void> => {
        const from = terminal.text.length;
        const pressedAt = performance.now();
        terminal.type(keys);
        await terminal.shows(answer, from);
        answers.push(performance.now() - pressedAt);
      };
      for (let i = 0; i < 10; i++) {
        await press("b", "bytes/s↓");
        await Bun.sleep(37);
        await press("p", "packets/s↓");
        await Bun.sleep(61);
      }
      await press("f", "filter: _");
      await press("abc", "filter: abc_");
      await press("\r", "   filter: abc");
      for (const milliseconds of answers) expect(milliseconds).toBeLessThan(limit(0.3));
      terminal.type("q");
      expect(await terminal.ended).toBe(0);
    },
    limit(240),
  );
});

test(
  "wants a datapath and an interval that can be",
  () => {
    expect(millrace(["top", "--dp", "absent", "--once"]).exitCode).toBe(3);
    expect(millrace(["top", "--dp", dp.name, "--interval", "0"]).exitCode).toBe(2);
  },
  limit(30),
);
