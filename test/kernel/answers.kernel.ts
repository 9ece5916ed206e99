import { describe, expect, test } from "bun:test";
import { Datapath, type Upcall, type Upcalls } from "../../src/index.ts";
import { HAS_DPCTL, witness } from "./lab.ts";
import { type Frame, FRAMES, LLC_FRAMES, ODD_FRAMES } from "./frames.ts";
import { limit } from "../runner/limit.ts";

/** A frame that comes in by the wire, or is executed with what a key says: then actions make it a miss. */
type Sent = Frame & { readonly key?: string; readonly actions?: string };

/**
 * A datapath whose port 1 is one end of a veth pair; what is executed by {@link send} comes out of the
 * other end, which is a port of a second datapath: the kernel parses it as any packet from outside.
 */
class Wire implements Disposable {
  readonly dp: Datapath;
  readonly upcalls: Upcalls;
  readonly #from: Datapath;

  constructor() {
    witness("ip", "link", "add", "answ1", "type", "veth", "peer", "name", "answ2");
    for (const each of ["answ1", "answ2"]) witness("ip", "link", "set", each, "up");
    this.dp = Datapath.create("answ");
    this.#from = Datapath.create("answfrom");
    this.dp.addPort("answ1", { number: 1 });
    this.#from.addPort("answ2", { number: 1 });
    this.upcalls = this.dp.upcalls();
  }

  send({ packet, key, actions }: Sent): void {
    if (actions === undefined) this.#from.execute({ packet }, "1");
    else this.dp.execute({ packet, ...(key === undefined ? {} : { key }) }, actions);
  }

  /** Sends a frame that no flow may match. @throws Error if one does */
  async miss(frame: Sent): Promise<Upcall> {
    const { hit } = this.dp.info().stats;
    this.send(frame);
    const end = performance.now() + limit(5);
    while (performance.now() < end) {
      for (const packet of this.upcalls.read()) {
        if (packet.kind === "lost") throw new Error("a packet was lost");
        return packet;
      }
      if (this.dp.info().stats.hit > hit) throw new Error(`${frame.name} met a flow`);
      await Bun.sleep(5);
    }
    throw new Error(`${frame.name} did not arrive`);
  }

  /** Sends a frame that a flow must match. @throws Error if none does */
  async hit(frame: Sent): Promise<void> {
    const { hit } = this.dp.info().stats;
    this.send(frame);
    const end = performance.now() + limit(5);
    while (performance.now() < end) {
      const [packet] = this.upcalls.read();
      if (packet !== undefined) throw new Error(`${frame.name} met no flow: ${keyOf(packet)}`);
      if (this.dp.info().stats.hit === hit + 1) return;
      await Bun.sleep(5);
    }
    throw new Error(`${frame.name} did not arrive`);
  }

  [Symbol.dispose](): void {
    this.dp.delete();
    this.#from.delete();
    witness("ip", "link", "del", "answ1");
  }
}

const keyOf = (packet: Upcall | { kind: "lost" }): string =>
  packet.kind === "lost" ? "lost" : packet.key;

describe("the answer to a miss", () => {
  /** Answers each frame, which must be a miss before, and sends all of them again. */
  async function answerAll(
    wire: Wire,
    frames: readonly Sent[],
    answer: (packet: Upcall) => void,
  ): Promise<void> {
    for (const frame of frames) answer(await wire.miss(frame));
    expect(wire.dp.info().stats.flows).toBe(frames.length);
    for (const frame of frames) await wire.hit(frame);
  }

  test.each([
    ["in order", FRAMES],
    ["the last one first", FRAMES.toReversed()],
  ])("matches just such packets, of every kind: %s", async (_, frames) => {
    using wire = new Wire();
    using flows = wire.dp.batch();
    await answerAll(wire, frames, (packet) => {
      flows.answer(packet, "drop");
      expect(flows.flush()).toEqual({ applied: 1, exceptions: [] });
    });
    // 802.2 by itself, and in one tag and in two.
    const shown = Array.from(wire.dp.flows(), (flow) => flow.toString());
    expect(shown.filter((line) => line.includes("eth_type(0/0xffff)")).length).toBe(3);
    if (!HAS_DPCTL) return;
    // It changes the datapath's features when it opens it: misses go nowhere from now on.
    const witnessed = witness("ovs-dpctl", "dump-flows", wire.dp.name).trim().split("\n");
    expect(witnessed.length).toBe(frames.length);
    expect(witnessed.filter((line) => line.includes("),eth_type(0/0xffff),")).length).toBe(1);
  });

  test("as text matches the same packets: it is the same flow", async () => {
    using wire = new Wire();
    using flows = wire.dp.batch();
    await answerAll(wire, FRAMES, (packet) => {
      wire.dp.put(`${packet.key} drop`);
      flows.answer(packet, "drop");
      expect(flows.flush()).toEqual({ applied: 1, exceptions: [] });
    });
  });

  test("matches every frame of 802.2, and none of another type", async () => {
    using wire = new Wire();
    using flows = wire.dp.batch();
    const others = FRAMES.filter(({ name }) => name !== LLC_FRAMES[0]?.name);
    for (const first of LLC_FRAMES) {
      wire.dp.flush();
      const packet = await wire.miss(first);
      expect(packet.key).toEndWith("eth_type(0/0xffff)");
      flows.answer(packet, "drop");
      expect(flows.flush()).toEqual({ applied: 1, exceptions: [] });
      for (const frame of LLC_FRAMES) await wire.hit(frame);
      for (const frame of others.slice(0, 12)) await wire.miss(frame);
    }
  });

  test("is rejected where no flow can match just such packets", async () => {
    using wire = new Wire();
    using flows = wire.dp.batch();
    for (const frame of ODD_FRAMES) {
      const packet = await wire.miss(frame);
      flows.answer(packet, "drop");
      const { applied, exceptions } = flows.flush();
      expect([applied, exceptions[0]?.state, exceptions[0]?.code]).toEqual([
        0,
        "rejected",
        "EINVAL",
      ]);
      expect(exceptions[0]?.reason).not.toContain("does not take this key");
      expect(() => wire.dp.put(`${packet.key} drop`)).toThrow();
      wire.dp.execute(packet, "drop");
    }
    expect(wire.dp.info().stats.flows).toBe(0);
  });

  test("matches packets that came from the same port, tunnel and connection, and no others", async () => {
    using wire = new Wire();
    using flows = wire.dp.batch();
    const udp = FRAMES.find(({ name }) => name === "UDP") ?? expect.unreachable();
    const llc = LLC_FRAMES[0] ?? expect.unreachable();
    const again = "recirc(0x11)";
    const tunnels = [
      "tunnel(tun_id=0x7,src=10.0.0.1,dst=10.0.0.2,tos=0x4,ttl=64,tp_src=1,tp_dst=2,flags(df|csum|key))",
      "tunnel(tun_id=0x7,src=10.0.0.1,dst=10.0.0.2,ttl=64,tp_dst=2,flags(key))",
      "tunnel(tun_id=0x0,src=10.0.0.1,dst=10.0.0.2,ttl=64,flags(key))",
      "tunnel(src=10.0.0.1,dst=10.0.0.2,ttl=64)",
      "tunnel(dst=10.0.0.2,ttl=64)",
      "tunnel(ipv6_src=fd00::1,ipv6_dst=fd00::2,ttl=64,flags(csum))",
      "tunnel(ipv6_dst=fd00::2,ttl=64)",
      "tunnel(tun_id=0x7,dst=10.0.0.2,ttl=64,geneve({class=0x102,type=0x80,len=4,0x01020304}),flags(key))",
      "tunnel(tun_id=0x7,dst=10.0.0.2,ttl=64,geneve({class=0x102,type=0x80,len=4,0}),flags(key))",
      "tunnel(tun_id=0x7,dst=10.0.0.2,ttl=64,vxlan(gbp(id=5,flags=0x8)),flags(key))",
    ];
    const keys = [
      // A port of its own tells packets without a tunnel from those with one.
      "in_port(0)",
      "in_port(0),skb_mark(7)",
      "in_port(0),skb_priority(9)",
      ...tunnels.map((tunnel) => `in_port(1),${tunnel}`),
    ];
    const sent = [udp, llc].flatMap((frame): Sent[] => [
      { ...frame, name: `${frame.name} from no port`, actions: again },
      {
        ...frame,
        name: `${frame.name}, dp_hash`,
        key: "in_port(0)",
        actions: `hash(l4(0)),${again}`,
      },
      ...keys.map((key) => ({ ...frame, name: `${frame.name}, ${key}`, key, actions: again })),
    ]);
    const tracked = { ...udp, key: "in_port(0)", actions: `ct(),${again}` };
    for (const packets of [[tracked, ...sent], [tracked, ...sent].toReversed()]) {
      wire.dp.flush();
      await answerAll(wire, packets, (packet) => {
        flows.answer(packet, "drop");
        expect(flows.flush()).toEqual({ applied: 1, exceptions: [] });
        wire.dp.put(`${packet.key} drop`);
      });
    }
  });
});
