import { FlowLineEncoder } from "../../src/flow/line.ts";
import { decodeFlow, newFlowParts } from "../../src/flow/parts.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import type { Random } from "../../src/testing/random.ts";
import * as N from "../../src/uapi/netlink.ts";
import * as A from "../../src/uapi/openvswitch.ts";

/*
 * Random requests to the families of Open vSwitch, as bytes: most make sense and meet what earlier ones left, some lack
 * what is wanted or are cut.
 */

/** A request, but for what another kernel has other numbers for. */
export type Operation = {
  readonly family: string;
  readonly command: number;
  readonly flags: number;
  /** The test's own datapath, none at all, or one that is not there. */
  readonly datapath: "own" | "none" | "missing";
  readonly attributes: Uint8Array;
  /** What it is, for who reads of a difference. */
  readonly about: string;
};

const MEMORY = new PinnedMemory(256 << 10);

function attributes(write: (writer: AttributeWriter) => void): Uint8Array {
  const writer = new AttributeWriter(MEMORY);
  write(writer);
  return MEMORY.u8.slice(0, writer.position);
}

/** Key, mask and actions of a line, as payloads. */
type Parts = { readonly key: Uint8Array; readonly mask: Uint8Array; readonly actions: Uint8Array };

const PARTS = new Map<string, Parts>();

function partsOf(line: string): Parts {
  const known = PARTS.get(line);
  if (known !== undefined) return known;
  const writer = new AttributeWriter(new PinnedMemory(64 << 10));
  const bytes = new TextEncoder().encode(line);
  new FlowLineEncoder({ ufid: false }).encode(bytes, 0, bytes.length, 1, writer);
  const view = newFlowParts();
  const { u8, view: words } = writer.memory;
  decodeFlow({ bytes: u8, view: words, start: 0, end: writer.position }, view);
  const part = ({ start, end }: { start: number; end: number }): Uint8Array =>
    u8.slice(Math.max(0, start), Math.max(0, end));
  const parts = { key: part(view.key), mask: part(view.mask), actions: part(view.actions) };
  PARTS.set(line, parts);
  return parts;
}

const ADDRESSES = [
  "10.0.0.1",
  "10.0.0.2",
  "10.1.0.1",
  "10.1.2.3",
  "192.168.0.1",
  "0.0.0.0",
] as const;
const PREFIXES = [
  "0.0.0.0",
  "255.0.0.0",
  "255.255.0.0",
  "255.255.255.0",
  "255.255.255.255",
] as const;

function address(random: Random): string {
  return `${random.of(ADDRESSES)}/${random.of(PREFIXES)}`;
}

function ipv4(random: Random): string {
  const rest = random.of<() => string>([
    () => "frag=no)",
    () => "frag=no)",
    () => `proto=6,frag=no),tcp(dst=${random.of(["80", "443", "0/0"])}),tcp_flags(0/0)`,
    () => `proto=17,frag=no),udp(dst=${random.of(["53", "53/0xff", "67"])})`,
    () => `proto=1,frag=no),icmp(type=8,code=0)`,
    () => `proto=${random.of(["6/0", "17/0x1", "47"])},tos=${random.of(["0", "4/0xfc"])},frag=no)`,
    () => "frag=later)",
  ])();
  return `eth_type(0x0800),ipv4(src=${address(random)},dst=${address(random)},${rest}`;
}

function network(random: Random): string {
  return random.of<() => string>([
    () => ipv4(random),
    () => ipv4(random),
    () => ipv4(random),
    () =>
      `eth_type(0x86dd),ipv6(src=fd00::${random.below(3)}/${random.of(["ffff::", "::"])},frag=no)`,
    () => "eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6(type=135,code=0),nd(target=fe80::1)",
    () => `eth_type(0x0806),arp(sip=${address(random)},op=${random.of(["1", "2", "1/0"])})`,
    () => "eth_type(0x88cc)",
    () => "eth_type(0/0xffff)",
    () => "",
  ])();
}

function randomKey(random: Random): string {
  const metadata = [
    random.of(["in_port(1)", "in_port(1)", "in_port(2)", "in_port(4294967295)", ""]),
    random.of([
      "",
      "",
      "",
      "recirc_id(1)",
      "skb_mark(0x10/0xf0)",
      "ct_state(+trk)",
      "skb_priority(1)",
      `tunnel(src=1.1.1.1,dst=2.2.2.2${random.of(["", "/255.0.0.0"])},ttl=64)`,
    ]),
  ];
  const ethernet = random.of([
    "eth()",
    "eth()",
    "eth(src=02:00:00:00:00:01)",
    "eth(dst=02:00:00:00:00:02/ff:ff:00:00:00:00)",
  ]);
  const inside = network(random);
  const tagged =
    inside !== "" && random.chance(12)
      ? `eth_type(0x8100),vlan(vid=${random.below(2)}${random.of(["", "/0xfff"])}),encap(${inside})`
      : inside;
  return [...metadata, ethernet, tagged].filter((part) => part !== "").join(",");
}

const ACTIONS = [
  "1",
  "2",
  "drop",
  "1,2",
  "push_vlan(vid=3,pcp=0),1",
  "set(eth(src=02:00:00:00:00:09)),2",
  "recirc(5)",
] as const;

function ufid(random: Random): Uint8Array {
  const length = random.of([16, 16, 16, 16, 16, 16, 16, 8, 1, 17, 0]);
  const bytes = new Uint8Array(length);
  if (length > 0) bytes[0] = 1 + random.below(12);
  return bytes;
}

/** Random requests about a datapath whose flows come from a pool of so many keys. */
export class Operations {
  readonly #random: Random;
  readonly #lines: string[] = [];

  constructor(random: Random, pool = 60) {
    this.#random = random;
    for (let i = 0; i < pool; i++) this.#lines.push(randomKey(random));
  }

  next(): Operation {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 84) return this.#flow();
    if (kind < 90) return this.#port();
    if (kind < 94) return this.#datapath();
    if (kind < 98) return this.#meter();
    return this.#limit();
  }

  #datapathOf(): Operation["datapath"] {
    return this.#random.of([
      "own",
      "own",
      "own",
      "own",
      "own",
      "own",
      "own",
      "own",
      "own",
      "missing",
    ]);
  }

  #flow(): Operation {
    const random = this.#random;
    // It may be any of few: they meet one another.
    const line = `${this.#lines[random.below(this.#lines.length)] ?? "eth()"} ${random.of(ACTIONS)}`;
    const parts = partsOf(line);
    const command = random.of([
      A.OVS_FLOW_CMD_NEW,
      A.OVS_FLOW_CMD_NEW,
      A.OVS_FLOW_CMD_NEW,
      A.OVS_FLOW_CMD_SET,
      A.OVS_FLOW_CMD_DEL,
      A.OVS_FLOW_CMD_GET,
      A.OVS_FLOW_CMD_GET,
    ]);
    const isNew = command === A.OVS_FLOW_CMD_NEW;
    const isDump = command === A.OVS_FLOW_CMD_GET && random.chance(6);
    const creates = isNew
      ? random.of([0, N.NLM_F_CREATE, N.NLM_F_CREATE, N.NLM_F_CREATE | N.NLM_F_EXCL])
      : 0;
    const flags = creates | (random.chance(10) ? N.NLM_F_ECHO : 0) | (isDump ? N.NLM_F_DUMP : 0);
    const has = (percent: number): boolean => random.chance(percent);
    const named = has(50);
    const content = attributes((writer) => {
      if (named || command !== A.OVS_FLOW_CMD_DEL ? named : has(90))
        writer.bytes(A.OVS_FLOW_ATTR_UFID, ufid(random));
      if (has(isNew ? 98 : named ? 60 : 97))
        writer.bytes(A.OVS_FLOW_ATTR_KEY, this.#oddKey(parts.key));
      if (has(isNew ? 95 : 50)) writer.bytes(A.OVS_FLOW_ATTR_MASK, has(2) ? parts.key : parts.mask);
      if (isNew ? has(97) : command === A.OVS_FLOW_CMD_SET && has(70))
        writer.bytes(A.OVS_FLOW_ATTR_ACTIONS, parts.actions);
      if (has(4)) writer.flag(A.OVS_FLOW_ATTR_CLEAR);
      if (has(4)) writer.flag(A.OVS_FLOW_ATTR_PROBE);
      // A reply without the key has no room for the one that names the flow it replaces, and Linux
      // panics: the BUG_ON of ovs_flow_cmd_new.
      if (has(8))
        writer.u32(
          A.OVS_FLOW_ATTR_UFID_FLAGS,
          random.below(8) & (isNew ? ~A.OVS_UFID_F_OMIT_KEY : 7),
        );
    });
    const about = `${["?", "NEW", "DEL", "GET", "SET"][command]} ${flags.toString(16)} ${line}`;
    return {
      family: A.OVS_FLOW_FAMILY,
      command,
      flags,
      datapath: this.#datapathOf(),
      attributes: content,
      about,
    };
  }

  // Bits where no mask is, an Ethernet type of zero, an attribute more, or a key that is cut.
  #oddKey(key: Uint8Array): Uint8Array {
    const random = this.#random;
    const odd = key.slice();
    if (random.chance(25)) {
      const at = findAttribute(odd, A.OVS_KEY_ATTR_IPV4);
      if (at > 0) odd[at + 4 + random.below(8)] = random.below(4);
    }
    if (random.chance(2)) {
      const at = findAttribute(odd, A.OVS_KEY_ATTR_IN_PORT);
      if (at > 0) odd[at + 4 + random.below(4)] = 0xff;
    }
    if (random.chance(3)) {
      const at = findAttribute(odd, A.OVS_KEY_ATTR_ETHERTYPE);
      if (at > 0) odd.fill(0, at + 4, at + 6);
    }
    return random.chance(1) ? odd.subarray(0, random.below(odd.length)) : odd;
  }

  #port(): Operation {
    const random = this.#random;
    const command = random.of([
      A.OVS_VPORT_CMD_NEW,
      A.OVS_VPORT_CMD_NEW,
      A.OVS_VPORT_CMD_SET,
      A.OVS_VPORT_CMD_DEL,
      A.OVS_VPORT_CMD_GET,
      A.OVS_VPORT_CMD_GET,
    ]);
    const name = random.of(["mport1", "mport2", "mport3", "model0", "lo0none", "mport4"]);
    const isDump = command === A.OVS_VPORT_CMD_GET && random.chance(40);
    const content = attributes((writer) => {
      if (random.chance(90)) writer.string(A.OVS_VPORT_ATTR_NAME, name);
      if (command === A.OVS_VPORT_CMD_NEW && random.chance(95))
        writer.u32(A.OVS_VPORT_ATTR_TYPE, random.of([2, 2, 2, 2, 1, 77]));
      if (random.chance(30))
        writer.u32(A.OVS_VPORT_ATTR_PORT_NO, random.of([0, 1, 2, 3, 65_534, 65_535, 70_000]));
      if (command === A.OVS_VPORT_CMD_NEW ? random.chance(95) : command === A.OVS_VPORT_CMD_SET)
        writer.bytes(A.OVS_VPORT_ATTR_UPCALL_PID, new Uint8Array(random.of([4, 4, 4, 8, 0, 3])));
    });
    return {
      family: A.OVS_VPORT_FAMILY,
      command,
      flags: (random.chance(40) ? N.NLM_F_ECHO : 0) | (isDump ? N.NLM_F_DUMP : 0),
      datapath: this.#datapathOf(),
      attributes: content,
      about: `port command ${command} ${name}`,
    };
  }

  #datapath(): Operation {
    const random = this.#random;
    const command = random.of([
      A.OVS_DP_CMD_NEW,
      A.OVS_DP_CMD_SET,
      A.OVS_DP_CMD_GET,
      A.OVS_DP_CMD_GET,
      A.OVS_DP_CMD_DEL,
    ]);
    // The test's own stays.
    const name =
      command === A.OVS_DP_CMD_DEL ? "model1" : random.of(["model0", "model1", "model1", "mport1"]);
    const content = attributes((writer) => {
      if (command === A.OVS_DP_CMD_DEL || random.chance(90))
        writer.string(A.OVS_DP_ATTR_NAME, name);
      if (random.chance(90)) writer.u32(A.OVS_DP_ATTR_UPCALL_PID, 0);
      if (random.chance(50))
        writer.u32(A.OVS_DP_ATTR_USER_FEATURES, random.of([0, 1, 2, 3, 2, 16]));
      if (random.chance(30))
        writer.u32(A.OVS_DP_ATTR_MASKS_CACHE_SIZE, random.of([0, 1, 3, 256, 4096, 8192]));
    });
    return {
      family: A.OVS_DATAPATH_FAMILY,
      command,
      flags: random.chance(30) ? N.NLM_F_ECHO : 0,
      datapath: this.#datapathOf(),
      attributes: content,
      about: `datapath command ${command} ${name}`,
    };
  }

  #meter(): Operation {
    const random = this.#random;
    const command = random.of([1, 2, 2, 2, 3, 4, 4, 4]);
    const content = attributes((writer) => {
      if (random.chance(95)) writer.u32(A.OVS_METER_ATTR_ID, random.below(4));
      if (random.chance(30)) writer.flag(A.OVS_METER_ATTR_KBPS);
      if (random.chance(30)) writer.flag(A.OVS_METER_ATTR_CLEAR);
      if (command !== 2 || random.chance(5)) return;
      const bands = writer.nest(A.OVS_METER_ATTR_BANDS);
      for (let i = random.of([1, 1, 1, 1, 0, 2]); i > 0; i--) {
        const band = writer.nest(0);
        writer.u32(A.OVS_BAND_ATTR_TYPE, A.OVS_METER_BAND_TYPE_DROP);
        writer.u32(A.OVS_BAND_ATTR_RATE, random.of([100, 100, 100, 0]));
        writer.u32(A.OVS_BAND_ATTR_BURST, 10);
        writer.endNest(band);
      }
      writer.endNest(bands);
    });
    return {
      family: A.OVS_METER_FAMILY,
      command,
      flags: 0,
      datapath: this.#datapathOf(),
      attributes: content,
      about: `meter command ${command}`,
    };
  }

  #limit(): Operation {
    const random = this.#random;
    const command = random.of([1, 1, 2, 3, 3]);
    const zones = Array.from({ length: random.below(3) }, () => random.of([-1, 0, 0]));
    const content = attributes((writer) => {
      if (random.chance(20)) return;
      const list = new Int32Array(zones.flatMap((zone) => [zone, random.below(9), 0]));
      writer.bytes(A.OVS_CT_LIMIT_ATTR_ZONE_LIMIT, new Uint8Array(list.buffer));
    });
    return {
      family: A.OVS_CT_LIMIT_FAMILY,
      command,
      flags: 0,
      datapath: "none",
      attributes: content,
      about: `ct_limit command ${command} ${zones.join()}`,
    };
  }
}

function findAttribute(list: Uint8Array, type: number): number {
  for (let at = 0; at + 4 <= list.length;) {
    const length = (list[at] ?? 0) | ((list[at + 1] ?? 0) << 8);
    if (length < 4) return -1;
    if (list[at + 2] === type) return at;
    at += (length + 3) & ~3;
  }
  return -1;
}
