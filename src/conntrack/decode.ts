import { AttributeReader, decodeString } from "../netlink/attribute-reader.ts";
import * as C from "../uapi/conntrack.ts";
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from "../uapi/packet.ts";
import {
  AF_INET,
  type Connection,
  type ConnectionCounters,
  type ConnectionTuple,
  type ProtocolState,
} from "./connection.ts";

// Reads connections from messages of ctnetlink.

/** Bytes of a `struct nfgenmsg { u8 family; u8 version; be16 res_id; }`. */
const NFGENMSG_BYTES = 4;

type Attributes = ReadonlyMap<number, { readonly start: number; readonly length: number }>;

function attributesOf(bytes: Uint8Array, start: number, end: number): Attributes {
  const found = new Map<number, { start: number; length: number }>();
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) found.set(reader.type, { start: reader.start, length: reader.length });
  return found;
}

/**
 * Reads a connection from the payload of a ctnetlink message, `bytes[start..end)`.
 * @returns undefined if it is not a connection: the header, or the tuple of a direction, is missing
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

/** The attributes of a nest, by type; numbers are in network order, and 0 if absent. */
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
