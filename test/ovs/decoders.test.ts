import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { Flow } from "../../src/flow/flow.ts";
import { AttributeReader } from "../../src/netlink/attribute-reader.ts";
import { MessageReader } from "../../src/netlink/message.ts";
import { type Connection, decodeConnection } from "../../src/ovs/conntrack.ts";
import type { OvsMessage } from "../../src/ovs/channel.ts";
import { type CtLimitInfo, decodeCtLimits } from "../../src/ovs/ct-limit.ts";
import { decodeDatapath } from "../../src/ovs/datapath.ts";
import { type ChangeEvent, type ChangeKind, decodeChange } from "../../src/ovs/events.ts";
import { decodeFlow, identityOf, newFlowView } from "../../src/ovs/flow-view.ts";
import { decodeMeter, decodeMeterFeatures } from "../../src/ovs/meter.ts";
import { Upcall } from "../../src/ovs/packet.ts";
import { decodeTunnel } from "../../src/ovs/tunnel.ts";
import { decodePort } from "../../src/ovs/vport.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { PROPERTY } from "../flow/harness.ts";
import { RECORDED } from "./recorded.ts";

/** Bytes of a message among others: from `start` to `end`. */
type Placed = { readonly bytes: Uint8Array; readonly start: number; readonly end: number };

const messageOf = ({ bytes, start, end }: Placed): OvsMessage => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, view, datapath: 7, start, end };
};

function flowOf(placed: Placed): object {
  const view = newFlowView();
  decodeFlow(messageOf(placed), view);
  for (const { start, end } of [view.ufid, view.key, view.mask, view.actions]) {
    const inside = start >= placed.start && end <= placed.end && start <= end;
    if (start !== -1 && !inside) throw new Error("a range beyond the message");
  }
  const flow = Flow.fromParts(view);
  const { ufid, packets, byteCount, usedMs, tcpFlags } = flow;
  const text = flow.toString({ verbose: true });
  return { ufid, packets, byteCount, usedMs, tcpFlags, text, identity: identityOf(view) };
}

function upcallOf(placed: Placed, command = 1): object {
  const upcall = new Upcall().point(command, placed.bytes, placed.start, placed.end);
  const { kind, inPort, length, mru, packet, userdata, actions, hash, egressTunnelKey } = upcall;
  return {
    kind,
    inPort,
    length,
    mru,
    packet: packet.toHex(),
    userdata: userdata?.toHex(),
    actions: actions?.toHex(),
    hash: hash?.length,
    egress: egressTunnelKey?.length,
    key: saidOrThrown(() => upcall.key),
    retained: upcall.retain().packet.toHex(),
  };
}

// Only what cannot be read as a key may throw, and that says so.
function saidOrThrown(run: () => string): string {
  try {
    return run();
  } catch (error) {
    if (error instanceof MillraceError && error.code === "MALFORMED") return error.code;
    throw error;
  }
}

function limitsOf(placed: Placed): CtLimitInfo[] {
  const found: CtLimitInfo[] = [];
  decodeCtLimits(messageOf(placed), found);
  return found;
}

function connectionOf({ bytes, start, end }: Placed): Connection | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decodeConnection(bytes, view, start, end);
}

function tunnelOf({ bytes, start, end }: Placed): object {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decodeTunnel(bytes, view, start, end);
}

/** An event, from its generic header on. */
function changeOf(
  { bytes, start, end }: Placed,
  kind: ChangeKind,
  wanted?: number,
): ChangeEvent | undefined {
  // As it lies in a receive buffer: at a multiple of four, behind the header of netlink.
  const memory = new PinnedMemory((bytes.length + 40) & ~3);
  memory.u8.fill(bytes[start - 1] ?? 0);
  memory.u8.set(bytes.subarray(start, end), 16);
  memory.u32[0] = 16 + end - start;
  const reader = new MessageReader(memory).reset(0, 16 + end - start);
  if (!reader.next()) throw new Error("no message");
  return decodeChange(memory, reader, kind, wanted);
}

const shownChange = (kind: ChangeKind) => (placed: Placed) => {
  const event = changeOf(placed, kind);
  if (event?.kind !== "flow") return event;
  return { ...event, flow: event.flow.toString({ verbose: true }), ufid: event.flow.ufid };
};

const placedAlone = (hex: string): Placed => {
  const bytes = Uint8Array.fromHex(hex);
  return { bytes, start: 0, end: bytes.length };
};

const recorded = (name: string): Placed[] => {
  const list = RECORDED[name] ?? [];
  expect(list.length).toBeGreaterThan(0);
  return list.map(placedAlone);
};

describe("what the kernel said is read as it was", () => {
  test("datapaths", () => {
    const [one, perCpu] = recorded("ovs_datapath").map((each) => decodeDatapath(messageOf(each)));
    expect(one).toEqual({
      name: "rec0",
      index: 7,
      userFeatures: 3,
      features: ["unaligned", "vport-pids"],
      perCpuPortIds: [],
      stats: { hit: 2, missed: 5, lost: 2, flows: 4 },
      megaflow: { maskHit: 18, masks: 4, cacheHit: 1 },
      masksCacheSize: 512,
    });
    expect(perCpu?.features).toEqual(["unaligned", "vport-pids", "per-cpu-upcalls"]);
    expect(perCpu?.perCpuPortIds).toEqual([3156580611]);
  });

  test("ports, and tunnels", () => {
    const ports = recorded("ovs_vport").map((each) => decodePort(messageOf(each)));
    expect(ports.map(({ number, name, type }) => [number, name, type])).toEqual([
      [0, "rec0", "internal"],
      [3, "rec0i", "internal"],
      [7, "rec0v", "netdev"],
      [9, "rec0x", "vxlan"],
      [10, "rec0g", "geneve"],
      [11, "rec0r", "gre"],
      [12, "rec0m", "internal"],
    ]);
    expect(ports.map(({ tunnel }) => tunnel)).toEqual([
      undefined,
      undefined,
      undefined,
      { destinationPort: 4790, groupPolicy: true },
      { destinationPort: 6081 },
      undefined,
      undefined,
    ]);
    const none = { rxErrors: 0, txErrors: 0, rxDropped: 0, txDropped: 0 };
    expect(ports[2]?.stats).toEqual({
      rxPackets: 1,
      txPackets: 1,
      rxBytes: 90,
      txBytes: 90,
      ...none,
    });
    expect(ports[5]?.stats.txDropped).toBe(2);
    expect(ports.map((port) => port.upcallPortIds)).toEqual(ports.map(() => [0]));
    expect(ports.map((port) => port.namespaceId)).toEqual([
      ...Array.from({ length: 6 }, () => undefined),
      0,
    ]);
    expect(ports[1]?.interfaceIndex).toBe(8);
  });

  test("flows", () => {
    const flows = recorded("ovs_flow").map((each) => {
      const view = newFlowView();
      decodeFlow(messageOf(each), view);
      return Flow.fromParts(view);
    });
    expect(flows.map((flow) => flow.toString())).toEqual([
      "in_port(3),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/255.0.0.0,proto=6,frag=no),tcp(dst=80),tcp_flags(0/0), actions:7",
      "tunnel(tun_id=0x7,dst=10.0.0.2,ttl=64,flags(key)),in_port(9),eth(),eth_type(0x86dd),ipv6(),key32(00 00/00 00), actions:3,7",
      "recirc_id(0x5),in_port(7),eth(), actions:3",
      "in_port(10),eth(), actions:3",
    ]);
    expect(flows.map(({ ufid }) => ufid)).toEqual([
      "f92519e0-3915-710b-7b32-5906bd328148",
      "e253f5bb-d9c1-c07b-edec-d2fb5bb2c6dc",
      "1380fc25-50b1-67e9-f203-7b636f0dabdd",
      undefined,
    ]);
    const { packets, byteCount, usedMs, tcpFlags } = flows[2] ?? expect.unreachable();
    expect([packets, byteCount, usedMs, tcpFlags]).toEqual([2, 108, 2242, 2]);
    expect(flows[3]?.identity).toHaveProperty("key");
  });

  test("packets", () => {
    const [udp, llc, tags] = recorded("ovs_packet miss").map((each) => upcallOf(each));
    expect(udp).toMatchObject({ kind: "miss", inPort: 7, length: 42, mru: 0, hash: 8 });
    expect(udp).toHaveProperty("key", expect.stringContaining("udp(src=53,dst=53)"));
    expect(llc).toHaveProperty("key", expect.stringMatching(/,eth_type\(0\/0xffff\)$/));
    expect(tags).toHaveProperty(
      "key",
      expect.stringContaining("encap(eth_type(0x8100),vlan(vid=6"),
    );
    const [action] = recorded("ovs_packet action").map((each) => upcallOf(each, 2));
    expect(action).toMatchObject({ kind: "action", length: 54, userdata: "0102030405060708" });
    expect(action).toHaveProperty("packet", expect.stringMatching(/^.{80}$/));
    expect(action).toHaveProperty("actions", expect.stringContaining("0102030405060708"));
  });

  test("meters", () => {
    const [features] = recorded("ovs_meter features").map((each) =>
      decodeMeterFeatures(messageOf(each)),
    );
    expect(features).toEqual({ maxMeters: 200_000, maxBands: 1, bandTypes: ["drop"] });
    expect(recorded("ovs_meter").map((each) => decodeMeter(messageOf(each)))).toEqual([
      {
        id: 4,
        stats: { packets: 9, bytes: 378 },
        usedMs: 2341,
        bands: [{ packets: 8, bytes: 336 }],
      },
      { id: 5, stats: { packets: 0, bytes: 0 }, usedMs: 2329, bands: [] },
    ]);
  });

  test("conntrack limits", () => {
    expect(recorded("ovs_ct_limit").flatMap(limitsOf)).toEqual([
      { zone: "default", limit: 1000, count: 0 },
      { zone: 0, limit: 7, count: 0 },
    ]);
  });

  test("connections", () => {
    const connections = recorded("nf_conntrack").map(connectionOf);
    expect(connections.map((one) => [one?.original.family, one?.original.protocol])).toEqual([
      [2, 17],
      [10, 6],
      [10, 58],
      [2, 1],
      [2, 6],
    ]);
    const [udp, tcp6, , ping] = connections;
    expect(udp).toMatchObject({ zone: 0, status: 8, timeout: 29, mark: 5, id: 2079528258 });
    expect(udp?.original.source).toEqual(Uint8Array.of(10, 0, 0, 1));
    expect(udp?.reply.source).toEqual(Uint8Array.of(10, 0, 0, 2));
    expect(udp?.labels?.[0]).toBe(9);
    expect(udp?.counters).toEqual([
      { packets: 1n, bytes: 28n },
      { packets: 0n, bytes: 0n },
    ]);
    expect(tcp6?.original).toMatchObject({ sourcePort: 0x1234, destinationPort: 80 });
    expect(tcp6?.original.source.toHex()).toBe("fd000000000000000000000000000001");
    const state = { protocol: "tcp", state: 3, windowScale: [0, 0], flags: [10, 10] } as const;
    expect(tcp6?.state).toEqual(state);
    expect(ping?.original.icmp).toEqual({ id: 1, type: 8, code: 0 });
    expect(ping?.reply.icmp).toEqual({ id: 1, type: 0, code: 0 });
  });

  test("changes", () => {
    const verbs = (kind: ChangeKind, name: string): (string | undefined)[] =>
      recorded(name).map((each) => {
        const event = changeOf(each, kind);
        return event === undefined || event.kind === "overrun" ? undefined : event.change;
      });
    expect(verbs("datapath", "ovs_datapath event")).toEqual(["new", "set", "set", "delete"]);
    const ports = verbs("port", "ovs_vport event");
    expect([ports.length, ports[0], ports[6], ports.at(-1)]).toEqual([21, "new", "set", "delete"]);
    expect(verbs("flow", "ovs_flow event")).toEqual([
      "new",
      "new",
      "new",
      "new",
      "set",
      "new",
      "delete",
    ]);
    const [first] = recorded("ovs_vport event");
    const port = first && changeOf(first, "port");
    expect(port).toMatchObject({ datapathIndex: 7, port: { name: "rec0i", number: 3 } });
    // Of another datapath than the one that is wanted, and of a family that nobody asked for.
    expect(first && changeOf(first, "port", 8)).toBeUndefined();
    expect(first && changeOf(first, "port", 7)).toBeDefined();
  });
});

const DECODERS: readonly (readonly [name: string, decode: (placed: Placed) => unknown])[] = [
  ["ovs_datapath", (placed) => decodeDatapath(messageOf(placed))],
  ["ovs_vport", (placed) => decodePort(messageOf(placed))],
  ["ovs_vport", tunnelOf],
  ["ovs_flow", flowOf],
  ["ovs_packet miss", (placed) => upcallOf(placed)],
  ["ovs_packet action", (placed) => upcallOf(placed, 2)],
  ["ovs_meter features", (placed) => decodeMeterFeatures(messageOf(placed))],
  ["ovs_meter", (placed) => decodeMeter(messageOf(placed))],
  ["ovs_ct_limit", limitsOf],
  ["nf_conntrack", connectionOf],
  ["ovs_datapath event", shownChange("datapath")],
  ["ovs_vport event", shownChange("port")],
  ["ovs_flow event", shownChange("flow")],
];

/** A recorded message with some bytes flipped, lengths of attributes above all, and maybe cut. */
function damaged(name: string): fc.Arbitrary<Uint8Array> {
  const messages = (RECORDED[name] ?? []).map((hex) => Uint8Array.fromHex(hex));
  const flips = fc.array(
    fc.record({ at: fc.nat(), to: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 4, 5, 255)) }),
    { maxLength: 6 },
  );
  return fc
    .tuple(fc.constantFrom(...messages), flips, fc.nat(), fc.boolean())
    .map(([message, all, length, cut]) => {
      const bytes = message.slice(0, cut ? length % (message.length + 1) : message.length);
      // Attributes begin at multiples of four, with their lengths.
      for (const [i, { at, to }] of all.entries()) {
        const place = bytes.length === 0 ? 0 : at % bytes.length;
        bytes[i % 2 === 0 ? place & ~3 : place] = to;
      }
      return bytes;
    });
}

/** The bytes, with others around them. */
function placedAmong(bytes: Uint8Array, filler: number): Placed {
  const around = new Uint8Array(bytes.length + 64).fill(filler);
  around.set(bytes, 32);
  return { bytes: around, start: 32, end: 32 + bytes.length };
}

test.each(DECODERS)(
  "%s: of flipped and cut bytes none beyond them is looked at",
  (name, decode) => {
    fc.assert(
      fc.property(damaged(name), (bytes) => {
        // Nothing follows: what is read beyond is an error here, and another value there.
        const alone = decode({ bytes, start: 0, end: bytes.length });
        expect(decode({ bytes: bytes.slice(), start: 0, end: bytes.length })).toEqual(alone);
        for (const filler of [0, 0xff, 0x08])
          expect(decode(placedAmong(bytes, filler))).toEqual(alone);
      }),
      PROPERTY,
    );
  },
);

/** Bytes before the attributes. */
const HEADERS: Readonly<Record<string, number>> = {
  nf_conntrack: 4,
  "ovs_datapath event": 8,
  "ovs_vport event": 8,
  "ovs_flow event": 8,
};

/** Each attribute by itself, and each of those in it, with its payload cut to every length. */
function* cutAttributes(bytes: Uint8Array, start: number, end: number): Generator<Uint8Array> {
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) {
    const { type, start: at, length } = reader;
    const flags = (bytes[at - 1] ?? 0) & 0xc0;
    const made = (payload: Uint8Array): Uint8Array => {
      const size = 4 + payload.length;
      return Uint8Array.of(size & 255, size >> 8, type & 255, (type >> 8) | flags, ...payload);
    };
    for (let cut = 0; cut < Math.min(length, 80); cut++) yield made(bytes.slice(at, at + cut));
    for (const inner of cutAttributes(bytes, at, at + length)) yield made(inner);
  }
}

test.each(DECODERS)("%s: of an attribute that is too short nothing is made", (name, decode) => {
  const header = HEADERS[name] ?? 0;
  let cut = 0;
  for (const { bytes } of recorded(name)) {
    for (const attribute of cutAttributes(bytes, header, bytes.length)) {
      const message = new Uint8Array(header + attribute.length);
      message.set(bytes.subarray(0, header));
      message.set(attribute, header);
      const alone = decode({ bytes: message, start: 0, end: message.length });
      for (const filler of [0, 0xff]) {
        expect(decode(placedAmong(message, filler))).toEqual(alone);
      }
      cut++;
    }
  }
  expect(cut).toBeGreaterThan(7);
});

test("a UFID of fewer than 16 bytes is no UUID, and names the flow all the same", () => {
  const view = newFlowView();
  decodeFlow(messageOf(placedAlone("0c0009000102030405060708")), view);
  const flow = Flow.fromParts(view);
  expect(flow.ufid).toBeUndefined();
  expect(flow.identity).toEqual({ ufid: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
});

test("the upcalls of a port, which Linux 6.3 counts, are read where they are whole", () => {
  const upcallsOf = (hex: string, filler = 0): unknown =>
    decodePort(messageOf(placedAmong(Uint8Array.fromHex(hex), filler))).upcalls;
  const [success, fail] = ["0c0000000700000000000000", "0c0001000300000001000000"];
  expect(upcallsOf(`1c000a00${success}${fail}`)).toEqual({ success: 7, fail: 2 ** 32 + 3 });
  expect(upcallsOf(`10000a00${success}`)).toEqual({ success: 7, fail: 0 });
  expect(upcallsOf("0c000a000800000007000000", 0xff)).toEqual({ success: 0, fail: 0 });
});

test("a number that is cut off is none", () => {
  // MAX_METERS and MAX_BANDS without a payload, at the end of the buffer.
  const features = decodeMeterFeatures(messageOf(placedAlone("0400070004000800")));
  expect(features).toEqual({ maxMeters: 0, maxBands: 0, bandTypes: [] });
  expect(connectionOf(placedAlone("020000"))).toBeUndefined();
});

test("a view that is used again keeps nothing of the flow before", () => {
  const [whole] = recorded("ovs_flow");
  const view = newFlowView();
  if (whole === undefined) throw new Error("recorded");
  decodeFlow(messageOf(whole), view);
  decodeFlow(messageOf(placedAlone("")), view);
  expect(view).toEqual({ ...newFlowView(), bytes: new Uint8Array(0) });
});
