import { AttributeReader, decodeString } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { putWord } from "../netlink/message.ts";
import * as C from "../uapi/conntrack.ts";
import { NETLINK_NETFILTER, NLA_F_NESTED } from "../uapi/netlink.ts";
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from "../uapi/packet.ts";
import type { OvsChannel } from "./channel.ts";

/** Bytes of a `struct nfgenmsg { u8 family; u8 version; be16 res_id; }`. */
const NFGENMSG_BYTES = 4;

/** {@link ConnectionTuple.family} of IPv4. */
export const AF_INET = 2;
/** {@link ConnectionTuple.family} of IPv6. */
export const AF_INET6 = 10;

/** One direction of a connection. The addresses have 4 or 16 bytes. */
export type ConnectionTuple = {
  readonly family: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  /** 0 where the protocol has none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmp: { readonly id: number; readonly type: number; readonly code: number } | undefined;
};

/** What a direction has counted; undefined where nf_conntrack_acct is off. */
export type ConnectionCounters = { readonly packets: bigint; readonly bytes: bigint };

/** The state of a protocol as the kernel numbers it. */
export type ProtocolState =
  | {
      readonly protocol: "tcp";
      readonly state: number;
      readonly windowScale: readonly [original: number, reply: number];
      readonly flags: readonly [original: number, reply: number];
    }
  | {
      readonly protocol: "sctp";
      readonly state: number;
      readonly tags: readonly [original: number, reply: number];
    };

/** A connection as the kernel's tracker knows it (ctnetlink). */
export type Connection = {
  readonly original: ConnectionTuple;
  readonly reply: ConnectionTuple;
  /** That of which it is a part: FTP's data. */
  readonly parent: ConnectionTuple | undefined;
  readonly id: number;
  readonly zone: number;
  /** IPS_* bits. */
  readonly status: number;
  /** Seconds. */
  readonly timeout: number;
  readonly mark: number;
  /** 16 bytes, the lowest bit first; undefined where it has none. */
  readonly labels: Uint8Array | undefined;
  readonly counters: readonly [ConnectionCounters | undefined, ConnectionCounters | undefined];
  /** Nanoseconds since 1970; undefined where nf_conntrack_timestamp is off. */
  readonly timestamp: { readonly start: bigint; readonly stop: bigint } | undefined;
  readonly state: ProtocolState | undefined;
  readonly helper: string | undefined;
};

/** The connections of a channel's network namespace, which all its datapaths share: tracked by zone. */
export class Conntrack {
  readonly #channel: OvsChannel;

  /** @param channel the caller's, who closes it */
  constructor(channel: OvsChannel) {
    this.#channel = channel;
  }

  /** Every connection, or those of one zone. Ending the loop early is fine. */
  *connections(zone?: number): Generator<Connection, void> {
    const request = {
      type: messageType(C.IPCTNL_MSG_CT_GET),
      doing: "listing the connections",
      write: (writer: AttributeWriter) => putHeader(writer, 0),
    };
    for (const { memory, message } of this.#channel.dumpWith(NETLINK_NETFILTER, request)) {
      const found = decodeConnection(memory.u8, memory.view, message.payload, message.end);
      if (found !== undefined && (zone === undefined || found.zone === zone)) yield found;
    }
  }

  /** Forgets one connection. @throws NetlinkError ENOENT where there is none */
  delete(connection: Pick<Connection, "original" | "zone"> & { readonly id?: number }): void {
    const { original, zone, id } = connection;
    this.#channel.transactWith(NETLINK_NETFILTER, {
      type: messageType(C.IPCTNL_MSG_CT_DELETE),
      doing: "deleting a connection",
      write: (writer) => {
        putHeader(writer, original.family);
        // A kernel without zones refuses the attribute, whatever it says.
        if (zone !== 0) writer.be16(C.CTA_ZONE, zone);
        putTuple(writer, original);
        if (id !== undefined) writer.be32(C.CTA_ID, id);
      },
    });
  }

  /** Forgets every connection of the namespace. */
  flush(): void {
    this.#channel.transactWith(NETLINK_NETFILTER, {
      type: messageType(C.IPCTNL_MSG_CT_DELETE),
      doing: "flushing the connections",
      write: (writer) => putHeader(writer, 0),
    });
  }
}

function messageType(command: number): number {
  return (C.NFNL_SUBSYS_CTNETLINK << 8) | command;
}

function putHeader(writer: AttributeWriter, family: number): void {
  putWord(writer, family | (C.NFNETLINK_V0 << 8));
}

// Netfilter asks for NLA_F_NESTED on its nests (nla_parse_nested).
function putTuple(writer: AttributeWriter, tuple: ConnectionTuple): void {
  const { family, protocol, icmp } = tuple;
  const whole = writer.nest(C.CTA_TUPLE_ORIG | NLA_F_NESTED);
  const ip = writer.nest(C.CTA_TUPLE_IP | NLA_F_NESTED);
  writer.bytes(family === AF_INET ? C.CTA_IP_V4_SRC : C.CTA_IP_V6_SRC, tuple.source);
  writer.bytes(family === AF_INET ? C.CTA_IP_V4_DST : C.CTA_IP_V6_DST, tuple.destination);
  writer.endNest(ip);
  const proto = writer.nest(C.CTA_TUPLE_PROTO | NLA_F_NESTED);
  writer.u8(C.CTA_PROTO_NUM, protocol);
  if (icmp !== undefined) {
    const first = protocol === IPPROTO_ICMP ? C.CTA_PROTO_ICMP_ID : C.CTA_PROTO_ICMPV6_ID;
    writer.be16(first, icmp.id);
    writer.u8(first + 1, icmp.type);
    writer.u8(first + 2, icmp.code);
  } else {
    writer.be16(C.CTA_PROTO_SRC_PORT, tuple.sourcePort);
    writer.be16(C.CTA_PROTO_DST_PORT, tuple.destinationPort);
  }
  writer.endNest(proto);
  writer.endNest(whole);
}

type Attributes = ReadonlyMap<number, { readonly start: number; readonly length: number }>;

function attributesOf(bytes: Uint8Array, start: number, end: number): Attributes {
  const found = new Map<number, { start: number; length: number }>();
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) found.set(reader.type, { start: reader.start, length: reader.length });
  return found;
}

/**
 * Reads a connection from the payload of a ctnetlink message, `bytes[start..end)`.
 * @returns undefined for what is none: without its header, or without a tuple of both directions
 */
export function decodeConnection(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): Connection | undefined {
  if (end - start < NFGENMSG_BYTES) return undefined;
  const family = view.getUint8(start);
  const all = new Nest(bytes, view, start + NFGENMSG_BYTES, end);
  const original = tupleOf(all.nest(C.CTA_TUPLE_ORIG), family);
  const reply = tupleOf(all.nest(C.CTA_TUPLE_REPLY), family);
  if (original === undefined || reply === undefined) return undefined;
  const timestamp = all.nest(C.CTA_TIMESTAMP);
  const help = all.nest(C.CTA_HELP)?.bytes(C.CTA_HELP_NAME);
  return {
    original,
    reply,
    parent: tupleOf(all.nest(C.CTA_TUPLE_MASTER), family),
    id: all.u32(C.CTA_ID),
    zone: all.u16(C.CTA_ZONE),
    status: all.u32(C.CTA_STATUS),
    timeout: all.u32(C.CTA_TIMEOUT),
    mark: all.u32(C.CTA_MARK),
    labels: all.bytes(C.CTA_LABELS)?.slice(),
    counters: [
      countersOf(all.nest(C.CTA_COUNTERS_ORIG)),
      countersOf(all.nest(C.CTA_COUNTERS_REPLY)),
    ],
    timestamp: timestamp && {
      start: timestamp.u64(C.CTA_TIMESTAMP_START),
      stop: timestamp.u64(C.CTA_TIMESTAMP_STOP),
    },
    state: stateOf(all.nest(C.CTA_PROTOINFO)),
    helper: help && decodeString(help, 0, help.length),
  };
}

function tupleOf(nest: Nest | undefined, family: number): ConnectionTuple | undefined {
  const ip = nest?.nest(C.CTA_TUPLE_IP);
  const proto = nest?.nest(C.CTA_TUPLE_PROTO);
  if (ip === undefined || proto === undefined) return undefined;
  const v4 = family === AF_INET;
  const protocol = proto.u8(C.CTA_PROTO_NUM);
  const isIcmp = protocol === (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
  const first = v4 ? C.CTA_PROTO_ICMP_ID : C.CTA_PROTO_ICMPV6_ID;
  return {
    family,
    source: address(ip, v4 ? C.CTA_IP_V4_SRC : C.CTA_IP_V6_SRC, v4),
    destination: address(ip, v4 ? C.CTA_IP_V4_DST : C.CTA_IP_V6_DST, v4),
    protocol,
    sourcePort: proto.u16(C.CTA_PROTO_SRC_PORT),
    destinationPort: proto.u16(C.CTA_PROTO_DST_PORT),
    icmp: isIcmp
      ? { id: proto.u16(first), type: proto.u8(first + 1), code: proto.u8(first + 2) }
      : undefined,
  };
}

function address(ip: Nest, type: number, v4: boolean): Uint8Array {
  return ip.bytes(type)?.slice() ?? new Uint8Array(v4 ? 4 : 16);
}

function countersOf(nest: Nest | undefined): ConnectionCounters | undefined {
  if (nest === undefined) return undefined;
  return { packets: nest.u64(C.CTA_COUNTERS_PACKETS), bytes: nest.u64(C.CTA_COUNTERS_BYTES) };
}

function stateOf(nest: Nest | undefined): ProtocolState | undefined {
  const tcp = nest?.nest(C.CTA_PROTOINFO_TCP);
  if (tcp !== undefined) {
    // struct nf_ct_tcp_flags { u8 flags; u8 mask; }
    const flags = (type: number): number => tcp.bytes(type)?.[0] ?? 0;
    return {
      protocol: "tcp",
      state: tcp.u8(C.CTA_PROTOINFO_TCP_STATE),
      windowScale: [
        tcp.u8(C.CTA_PROTOINFO_TCP_WSCALE_ORIGINAL),
        tcp.u8(C.CTA_PROTOINFO_TCP_WSCALE_REPLY),
      ],
      flags: [flags(C.CTA_PROTOINFO_TCP_FLAGS_ORIGINAL), flags(C.CTA_PROTOINFO_TCP_FLAGS_REPLY)],
    };
  }
  const sctp = nest?.nest(C.CTA_PROTOINFO_SCTP);
  if (sctp === undefined) return undefined;
  return {
    protocol: "sctp",
    state: sctp.u8(C.CTA_PROTOINFO_SCTP_STATE),
    tags: [sctp.u32(C.CTA_PROTOINFO_SCTP_VTAG_ORIGINAL), sctp.u32(C.CTA_PROTOINFO_SCTP_VTAG_REPLY)],
  };
}

/** The attributes of a nest, by type; numbers are in network order, and 0 where they are absent. */
class Nest {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #attributes: Attributes;

  constructor(bytes: Uint8Array, view: DataView, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#attributes = attributesOf(bytes, start, end);
  }

  nest(type: number): Nest | undefined {
    const found = this.#attributes.get(type);
    if (found === undefined) return undefined;
    return new Nest(this.#bytes, this.#view, found.start, found.start + found.length);
  }

  bytes(type: number): Uint8Array | undefined {
    const found = this.#attributes.get(type);
    return found && this.#bytes.subarray(found.start, found.start + found.length);
  }

  u8(type: number): number {
    return this.#at(type, 1, (start) => this.#view.getUint8(start)) ?? 0;
  }

  u16(type: number): number {
    return this.#at(type, 2, (start) => this.#view.getUint16(start)) ?? 0;
  }

  u32(type: number): number {
    return this.#at(type, 4, (start) => this.#view.getUint32(start)) ?? 0;
  }

  u64(type: number): bigint {
    return this.#at(type, 8, (start) => this.#view.getBigUint64(start)) ?? 0n;
  }

  #at<T>(type: number, length: number, read: (start: number) => T): T | undefined {
    const found = this.#attributes.get(type);
    return found !== undefined && found.length >= length ? read(found.start) : undefined;
  }
}
