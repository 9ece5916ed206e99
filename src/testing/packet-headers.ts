import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import * as A from "../uapi/openvswitch.ts";
import * as P from "../uapi/packet.ts";

/*
 * The headers of a frame as attributes of a key, as `key_extract` in net/openvswitch/flow.c reads them. Of IPv6 the
 * extension headers of options, routing and fragments are walked; what MPLS and NSH carry is not looked at.
 */

const ADDRESSES = 12;
const VLAN_BYTES = 4;
const VLAN_CFI = 0x1000;
const TAGS_MAX = 2;
const IPV6_BYTES = 40;
const FRAGMENT = 44;
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const ND_TARGET = 8;
const ND_OPTIONS = 24;

/** Frames shorter than that have no key. */
export const FRAME_LEAST = 14;

class Frame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly isTold: boolean;

  constructor(bytes: Uint8Array, isTold: boolean) {
    this.isTold = isTold;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  has(at: number, length: number): boolean {
    return at + length <= this.bytes.length;
  }

  be16(at: number): number {
    return this.has(at, 2) ? this.view.getUint16(at) : 0;
  }

  u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  part(at: number, length: number): Uint8Array {
    const part = new Uint8Array(length);
    part.set(this.bytes.subarray(at, Math.min(at + length, this.bytes.length)));
    return part;
  }
}

/** What lies where the kernel writes nothing. */
const LEFT_OVER = 0xa5;

/**
 * Writes the attributes of the headers of a frame, from its Ethernet addresses on.
 * @param isTold as an upcall tells them: with what lay in memory where the frame has no neighbour's address
 * @returns TCP's flags
 */
export function putHeaders(writer: AttributeWriter, bytes: Uint8Array, isTold = false): number {
  const frame = new Frame(bytes, isTold);
  writer.bytes(A.OVS_KEY_ATTR_ETHERNET, new Uint8Array([...frame.part(6, 6), ...frame.part(0, 6)]));
  return putTagged(writer, frame, ADDRESSES, TAGS_MAX);
}

function putTagged(writer: AttributeWriter, frame: Frame, at: number, left: number): number {
  const type = frame.be16(at);
  const isTag = type === P.ETH_P_8021Q || type === P.ETH_P_8021AD;
  if (!isTag || left === 0 || !frame.has(at, VLAN_BYTES + 2)) return putType(writer, frame, at);
  writer.be16(A.OVS_KEY_ATTR_ETHERTYPE, type);
  writer.be16(A.OVS_KEY_ATTR_VLAN, frame.be16(at + 2) | VLAN_CFI);
  const nest = writer.nest(A.OVS_KEY_ATTR_ENCAP);
  const flags = putTagged(writer, frame, at + VLAN_BYTES, left - 1);
  writer.endNest(nest);
  return flags;
}

function putType(writer: AttributeWriter, frame: Frame, at: number): number {
  const type = frame.be16(at);
  // 802.2: it is said by no attribute.
  if (type < P.ETH_P_802_3_MIN) return 0;
  writer.be16(A.OVS_KEY_ATTR_ETHERTYPE, type);
  const network = at + 2;
  if (type === P.ETH_P_IP) return putIpv4(writer, frame, network);
  if (type === P.ETH_P_IPV6) return putIpv6(writer, frame, network);
  if (type === P.ETH_P_ARP || type === P.ETH_P_RARP) putArp(writer, frame, network);
  return 0;
}

function putIpv4(writer: AttributeWriter, frame: Frame, at: number): number {
  const headerBytes = (frame.u8(at) & 0x0f) * 4;
  if (!frame.has(at, 20) || headerBytes < 20 || !frame.has(at, headerBytes)) {
    writer.bytes(A.OVS_KEY_ATTR_IPV4, new Uint8Array(12));
    return 0;
  }
  const fragment = frame.be16(at + 6);
  const frag = (fragment & 0x1fff) !== 0 ? 2 : (fragment & 0x2000) !== 0 ? 1 : 0;
  const [proto, tos, ttl] = [frame.u8(at + 9), frame.u8(at + 1), frame.u8(at + 8)];
  writer.bytes(
    A.OVS_KEY_ATTR_IPV4,
    new Uint8Array([...frame.part(at + 12, 8), proto, tos, ttl, frag]),
  );
  return frag === 2 ? 0 : putTransport(writer, frame, at + headerBytes, proto, false);
}

function putIpv6(writer: AttributeWriter, frame: Frame, at: number): number {
  const header = new Uint8Array(40);
  if (!frame.has(at, IPV6_BYTES)) {
    writer.bytes(A.OVS_KEY_ATTR_IPV6, header);
    return 0;
  }
  const first = frame.view.getUint32(at);
  let proto = frame.u8(at + 6);
  let next = at + IPV6_BYTES;
  let frag = 0;
  for (;;) {
    if (proto === FRAGMENT && frame.has(next, 8)) {
      const offset = frame.be16(next + 2);
      frag = (offset & 0xfff8) !== 0 ? 2 : (offset & 1) !== 0 ? 1 : frag;
      proto = frame.u8(next);
      next += 8;
      if (frag === 2) break;
    } else if (EXTENSIONS.has(proto) && frame.has(next, 8)) {
      proto = frame.u8(next);
      next += (frame.u8(next + 1) + 1) * 8;
    } else break;
  }
  header.set(frame.part(at + 8, 32));
  new DataView(header.buffer).setUint32(32, first & 0x000f_ffff);
  header.set([proto, (first >>> 20) & 0xff, frame.u8(at + 7), frag], 36);
  writer.bytes(A.OVS_KEY_ATTR_IPV6, header);
  return frag === 2 ? 0 : putTransport(writer, frame, next, proto, true);
}

function putTransport(
  writer: AttributeWriter,
  frame: Frame,
  at: number,
  proto: number,
  six: boolean,
): number {
  const ports = (type: number, least: number): boolean => {
    const complete = frame.has(at, least);
    writer.bytes(type, complete ? frame.part(at, 4) : new Uint8Array(4));
    return complete;
  };
  if (proto === P.IPPROTO_TCP) {
    const flags = ports(A.OVS_KEY_ATTR_TCP, 20) ? frame.be16(at + 12) & 0x0fff : 0;
    writer.be16(A.OVS_KEY_ATTR_TCP_FLAGS, flags);
    return flags;
  }
  if (proto === P.IPPROTO_UDP) ports(A.OVS_KEY_ATTR_UDP, 8);
  else if (proto === P.IPPROTO_SCTP) ports(A.OVS_KEY_ATTR_SCTP, 12);
  else if (proto === P.IPPROTO_ICMP && !six) {
    writer.bytes(A.OVS_KEY_ATTR_ICMP, frame.has(at, 8) ? frame.part(at, 2) : new Uint8Array(2));
  } else if (proto === P.IPPROTO_ICMPV6 && six) putIcmpv6(writer, frame, at);
  return 0;
}

function putIcmpv6(writer: AttributeWriter, frame: Frame, at: number): void {
  const complete = frame.has(at, 8);
  writer.bytes(A.OVS_KEY_ATTR_ICMPV6, complete ? frame.part(at, 2) : new Uint8Array(2));
  const type = complete ? frame.u8(at) : 0;
  if (type !== P.NDISC_NEIGHBOUR_SOLICITATION && type !== P.NDISC_NEIGHBOUR_ADVERTISEMENT) return;
  const nd = new Uint8Array(28);
  if (frame.isTold && frame.u8(at + 1) !== 0) nd.fill(LEFT_OVER);
  if (frame.u8(at + 1) === 0 && frame.has(at, ND_OPTIONS)) {
    nd.set(frame.part(at + ND_TARGET, 16));
    for (let option = at + ND_OPTIONS; frame.has(option, 8);) {
      const length = frame.u8(option + 1) * 8;
      if (length === 0 || !frame.has(option, length)) break;
      const kind = frame.u8(option);
      const address = kind === 1 ? 16 : kind === 2 ? 22 : -1;
      if (length === 8 && address >= 0) {
        const isThere = nd.subarray(address, address + 6).some((byte) => byte !== 0);
        // One that comes twice makes all of it void.
        if (isThere) {
          nd.fill(0);
          break;
        }
        nd.set(frame.part(option + 2, 6), address);
      }
      option += length;
    }
  }
  writer.bytes(A.OVS_KEY_ATTR_ND, nd);
}

function putArp(writer: AttributeWriter, frame: Frame, at: number): void {
  const key = new Uint8Array(24);
  const isKnown =
    frame.has(at, 28) &&
    frame.be16(at) === 1 &&
    frame.be16(at + 2) === P.ETH_P_IP &&
    frame.u8(at + 4) === 6 &&
    frame.u8(at + 5) === 4;
  if (isKnown) {
    key.set(frame.part(at + 14, 4), 0);
    key.set(frame.part(at + 24, 4), 4);
    if (frame.u8(at + 6) === 0) key[9] = frame.u8(at + 7);
    key.set(frame.part(at + 8, 6), 10);
    key.set(frame.part(at + 18, 6), 16);
  }
  writer.bytes(A.OVS_KEY_ATTR_ARP, key);
}
