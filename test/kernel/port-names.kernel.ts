import { expect, test } from "bun:test";
import { FlowSampler } from "../../src/cli/top/sampler.ts";
import { Datapath, type Upcall } from "../../src/index.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { TestDatapath } from "./lab.ts";
import { limit } from "../runner/limit.ts";

// Names of ports that mean another number by the time that they are used.

/** Swaps the numbers 1 and 2 of a datapath's ports. */
function swapPorts(dp: Datapath, one: string, two: string): void {
  dp.deletePort(one);
  dp.deletePort(two);
  dp.addPort(two, { type: "internal", number: 1 });
  dp.addPort(one, { type: "internal", number: 2 });
}

const shown = (dp: Datapath): string[] =>
  Array.from(dp.flows(), (flow) => flow.toString()).toSorted();

const plain = (port: number, source: number, out: number | string): string =>
  `in_port(${port}),eth(src=02:00:00:00:00:0${source}), actions:${out}`;

const flow = (port: string, source: number, out: string): string =>
  `in_port(${port}),eth(src=02:00:00:00:00:0${source}) ${out}`;

test("a batch puts flows on the ports that names mean when it is flushed", () => {
  using made = new TestDatapath("nam1");
  using dp = Datapath.open(made.name);
  using flows = dp.batch();
  flows.add(flow("nam1p1", 1, "nam1p2"));
  flows.add(flow("1", 2, "2"));
  flows.add(`delete ${flow("nam1p2", 3, "1")}`);
  flows.add(flow("2", 4, "nam1p1"));
  swapPorts(dp, "nam1p1", "nam1p2");
  const { applied, exceptions } = flows.flush();
  expect([applied, exceptions.length, exceptions[0]?.line, exceptions[0]?.code]).toEqual([
    3,
    1,
    3,
    "ENOENT",
  ]);
  expect(shown(dp)).toEqual([plain(2, 1, 1), plain(1, 2, 2), plain(2, 4, 2)].toSorted());
});

test("and so do batches after it: what was looked up before is not kept", () => {
  using made = new TestDatapath("nam2");
  using dp = Datapath.open(made.name);
  using flows = dp.batch(2);
  flows.add(flow("nam2p1", 1, "nam2p2"));
  expect(flows.flush().applied).toBe(1);
  swapPorts(dp, "nam2p1", "nam2p2");
  flows.add(flow("nam2p1", 2, "nam2p2"));
  expect(flows.flush().applied).toBe(1);
  // A full batch is sent by the flow that comes next.
  flows.add(flow("nam2p1", 3, "drop"));
  flows.add(flow("nam2p1", 4, "drop"));
  swapPorts(dp, "nam2p2", "nam2p1");
  flows.add(flow("nam2p1", 5, "drop"));
  expect(flows.flush()).toEqual({ applied: 3, exceptions: [] });
  expect(shown(dp)).toEqual(
    [
      plain(1, 1, 2),
      plain(2, 2, 1),
      plain(1, 3, "drop"),
      plain(1, 4, "drop"),
      plain(1, 5, "drop"),
    ].toSorted(),
  );
});

test("a port that comes later is known; one that is gone is told, and sends no other flow astray", () => {
  using made = new TestDatapath("nam3");
  using dp = Datapath.open(made.name);
  using flows = dp.batch();
  expect(() => flows.add(flow("nam3late", 1, "1"))).toThrow("port");
  dp.addPort("nam3late", { type: "internal", number: 7 });
  flows.add(flow("nam3late", 1, "1"));
  flows.add(flow("1", 2, "nam3p2"));
  flows.add(flow("1", 3, "nam3late"));
  flows.add(flow("1", 4, "2"));
  dp.deletePort("nam3p2");
  const { applied, exceptions } = flows.flush();
  expect(applied).toBe(3);
  expect(exceptions).toMatchObject([{ line: 2, state: "refused", code: "FLOW_SYNTAX" }]);
  expect(exceptions[0]?.reason).toContain("nam3p2");
  expect(shown(dp)).toEqual([plain(7, 1, 1), plain(1, 3, 7), plain(1, 4, 2)].toSorted());
});

test("answers to misses too: their actions are not remembered beyond that", async () => {
  using made = new TestDatapath("nam4");
  using dp = Datapath.open(made.name);
  using upcalls = dp.upcalls();
  using flows = dp.batch(2);
  const miss = async (source: number): Promise<Upcall> => {
    const packet = Uint8Array.fromHex(`02000000000a02000000000${source}88b5${"00".repeat(46)}`);
    dp.execute({ packet, key: "in_port(0)" }, "recirc(5)");
    const event = await upcalls.next({ timeoutMs: limit(10) });
    if (event.kind === "lost") throw new Error("lost");
    return event;
  };
  const packets: Upcall[] = [];
  for (let source = 1; source <= 6; source++) packets.push(await miss(source));
  const [one, two, three, four, five, six] = packets;
  if (!one || !two || !three || !four || !five || !six) throw new Error("six misses");
  flows.answer(one, "nam4p2");
  flows.flush();
  swapPorts(dp, "nam4p1", "nam4p2");
  flows.answer(two, "nam4p2");
  flows.flush();
  flows.answer(three, "nam4p2");
  flows.answer(four, "nam4p1,nam4p2");
  swapPorts(dp, "nam4p2", "nam4p1");
  // The batch is full: it is sent now, and what is found out then holds for this flow as well.
  flows.answer(five, "nam4p2");
  flows.answer(six, "1");
  expect(flows.flush()).toEqual({ applied: 4, exceptions: [] });
  const actions = packets.map((packet) => dp.get(packet.key)?.toString().split("actions:")[1]);
  expect(actions).toEqual(["2", "1", "2", "1,2", "2", "1"]);
});

test("a stream of flows has names as they are while it lasts", async () => {
  using made = new TestDatapath("nam5");
  using dp = Datapath.open(made.name);
  async function* lines(): AsyncGenerator<string> {
    yield flow("nam5p1", 1, "nam5p2");
    await Bun.sleep(limit(0.05));
    swapPorts(dp, "nam5p1", "nam5p2");
    await Bun.sleep(1100);
    yield flow("nam5p1", 2, "nam5p2");
  }
  expect((await dp.load(lines())).applied).toBe(2);
  expect(shown(dp)).toEqual([plain(1, 1, 2), plain(2, 2, 1)].toSorted());
});

test("top shows names as they are, and filters by them", async () => {
  using made = new TestDatapath("nam6");
  using dp = Datapath.open(made.name);
  using channel = new OvsChannel();
  const sampler = new FlowSampler(channel, made.name);
  const packet = Uint8Array.fromHex(`02000000000a02000000000b88b5${"00".repeat(46)}`);
  // Through recirculation it meets flows as any packet does.
  dp.put("recirc_id(0x5),in_port(1),eth(),eth_type(0x88b5) drop");
  const busy = async (): Promise<string | undefined> => {
    dp.execute({ packet, key: "in_port(1)" }, "recirc(5)");
    await Bun.sleep(20);
    const { signal } = new AbortController();
    await sampler.look(signal);
    await sampler.judge(signal);
    return sampler.sample("packets", 5).busiest[0]?.flow;
  };
  await sampler.look(new AbortController().signal);
  sampler.filter = "in_port(nam6p1)";
  expect(await busy()).toContain("in_port(nam6p1)");
  sampler.filter = "in_port(nam6p2)";
  expect(await busy()).toBeUndefined();
  swapPorts(dp, "nam6p1", "nam6p2");
  expect(await busy()).toContain("in_port(nam6p2)");
  swapPorts(dp, "nam6p2", "nam6p1");
  expect(await busy()).toBeUndefined();
});
