import { describe, expect, test } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { decodeDatapath } from "../../src/ovs/datapath.ts";
import { type ChangeKind } from "../../src/ovs/events.ts";
import { decodeFlow, newFlowParts } from "../../src/flow/parts.ts";
import { decodeMeter, decodeMeterFeatures } from "../../src/ovs/meter.ts";
import { decodePort } from "../../src/ovs/vport.ts";
import { changeOf, connectionOf, limitsOf, messageOf, recorded, upcallOf } from "./decode.ts";

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
      const view = newFlowParts();
      decodeFlow(messageOf(each), view);
      return Flow.fromParts(view);
    });
    // Their UFIDs are hashes of an earlier version: they count as given.
    expect(flows.map((flow) => flow.toString().replace(/^ufid:[^,]*, /, ""))).toEqual([
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
