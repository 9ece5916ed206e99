import { AttributeReader } from "../../../src/netlink/attribute-reader.ts";
import * as A from "../../../src/uapi/openvswitch.ts";

/*
 * What `writeUfid` says of itself, once more and otherwise: read from the attributes of a key and its mask, in
 * ascending type, and hashed by the text of MurmurHash3_x86_128. As slow as it likes.
 */

/** The attributes of a list, by type. */
type Attributes = ReadonlyMap<number, Uint8Array>;

/** Attributes of a tunnel that hold nothing. */
const FLAGS: ReadonlySet<number> = new Set([
  A.OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT,
  A.OVS_TUNNEL_KEY_ATTR_CSUM,
  A.OVS_TUNNEL_KEY_ATTR_OAM,
  A.OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE,
]);

const VERSION = 2;

/** The UFID, hexadecimal, of a key and its mask without an owner. */
export function referenceUfid(flow: {
  readonly bytes: Uint8Array;
  readonly keyEnd: number;
  readonly maskEnd: number;
}): string {
  const { bytes, keyEnd, maskEnd } = flow;
  const words = keyWords(bytes.subarray(0, keyEnd), bytes.subarray(keyEnd, maskEnd));
  return hex(murmurWords(words, murmurWords([VERSION, 0], [0, 0, 0, 0])));
}

function attributesOf(bytes: Uint8Array): Attributes {
  const found = new Map<number, Uint8Array>();
  const reader = new AttributeReader().reset(bytes, 0, bytes.length);
  while (reader.next()) {
    found.set(reader.type, bytes.slice(reader.start, reader.start + reader.length));
  }
  return found;
}

function typesOf(key: Attributes, mask: Attributes): number[] {
  return [...new Set([...key.keys(), ...mask.keys()])].toSorted((one, other) => one - other);
}

const NONE = new Uint8Array(0);

/**
 * The size of tuples that a kernel matches, but does not dump if the protocol, at this offset, is
 * 0.
 */
const TUPLES: ReadonlyMap<number, readonly [size: number, proto: number]> = new Map([
  [A.OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV4, [16, 12]],
  [A.OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV6, [40, 36]],
]);

function keyWords(keyBytes: Uint8Array, maskBytes: Uint8Array, isIpv6?: boolean): number[] {
  const key = attributesOf(keyBytes);
  const mask = attributesOf(maskBytes);
  const hasHeaders = isIpv6 ?? typeIn(keyBytes, maskBytes) === 0x86dd;
  return typesOf(key, mask).flatMap((type) => {
    const bits = mask.get(type) ?? NONE;
    // The absence of a port, or of an Ethernet type, has no attribute in the key.
    const absent = type === A.OVS_KEY_ATTR_IN_PORT ? 0xff : 0;
    const value = key.get(type) ?? new Uint8Array(bits.length).fill(absent);
    const [size, proto] = TUPLES.get(type) ?? [];
    if (value.length === size && (value[proto ?? 0]! & (bits[proto ?? 0] ?? 0)) === 0) return [];
    switch (type) {
      case A.OVS_KEY_ATTR_ENCAP:
        return list(type, keyWords(value, bits, hasHeaders), false);
      case A.OVS_KEY_ATTR_TUNNEL:
        return list(type, tunnelWords(attributesOf(value), attributesOf(bits)), true);
      case A.OVS_KEY_ATTR_NSH:
        return list(type, membersOf(attributesOf(value), attributesOf(bits)), false);
      case A.OVS_KEY_ATTR_ETHERNET:
        return isZero(bits) ? [type] : plain(type, value, bits);
      case A.OVS_KEY_ATTR_TCP_FLAGS:
        // There are twelve flags, whatever a mask of all of them is written as.
        if (bits.length === 2) bits[0]! &= 0x0f;
        break;
      case A.OVS_KEY_ATTR_IPV6_EXTHDRS:
        if (!hasHeaders && value.length === 2) return [];
    }
    return isZero(bits) ? [] : plain(type, value, bits);
  });
}

/** The Ethernet type inside all tags: 0 if it is not matched, undefined if there is none. */
function typeIn(keyBytes: Uint8Array, maskBytes: Uint8Array): number | undefined {
  const key = attributesOf(keyBytes);
  const mask = attributesOf(maskBytes);
  const inside = key.get(A.OVS_KEY_ATTR_ENCAP);
  const found = inside && typeIn(inside, mask.get(A.OVS_KEY_ATTR_ENCAP) ?? NONE);
  if (found !== undefined) return found;
  const [type, bits] = [key, mask].map((all) => all.get(A.OVS_KEY_ATTR_ETHERTYPE));
  if (type === undefined && bits === undefined) return undefined;
  return isZero(bits ?? NONE) || type === undefined ? 0 : (type[0]! << 8) | type[1]!;
}

function tunnelWords(key: Attributes, mask: Attributes): number[] {
  return typesOf(key, mask).flatMap((type) => {
    const value = key.get(type);
    const bits = mask.get(type) ?? NONE;
    if (FLAGS.has(type)) return mask.has(type) ? [type, value === undefined ? 0 : 1] : [];
    switch (type) {
      case A.OVS_TUNNEL_KEY_ATTR_ID:
        // Without a key the mask says that there is no id.
        return value === undefined ? [type] : plain(type, value, bits);
      case A.OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS:
      case A.OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS:
        return value === undefined || value.length === 0 ? [] : plain(type, value, bits);
      case A.OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS:
        return list(type, membersOf(attributesOf(value ?? NONE), attributesOf(bits)), true);
      default:
        return isZero(bits) ? [] : plain(type, value ?? NONE, bits);
    }
  });
}

function membersOf(key: Attributes, mask: Attributes): number[] {
  return typesOf(key, mask).flatMap((type) => {
    const bits = mask.get(type) ?? NONE;
    return isZero(bits) ? [] : plain(type, key.get(type) ?? NONE, bits);
  });
}

function list(type: number, inside: readonly number[], isKept: boolean): number[] {
  return inside.length === 0 && !isKept ? [] : [type | (inside.length << 18), ...inside];
}

function plain(type: number, value: Uint8Array, mask: Uint8Array): number[] {
  const size = Math.max(value.length, mask.length);
  const bits = Uint8Array.from({ length: size }, (_, i) => mask[i] ?? 0);
  const masked = bits.map((bit, i) => bit & (value[i] ?? 0));
  return [type | (size << 16), ...wordsOf(masked), ...wordsOf(bits)];
}

function wordsOf(bytes: Uint8Array): number[] {
  const padded = new Uint8Array((bytes.length + 3) & ~3);
  padded.set(bytes);
  return [...new Int32Array(padded.buffer)];
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

const C = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];
const ADD = [0x561ccd1b, 0x0bcaa747, 0x96cd1c35, 0x32ac3b17];
const SPIN = [15, 16, 17, 18];
const TURN = [19, 17, 15, 13];

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function murmurWords(words: readonly number[], seed: readonly number[]): number[] {
  const h = [...seed];
  for (let i = 0; i < words.length; i += 4) {
    for (let lane = 0; lane < 4; lane++) {
      const spun = rotate(Math.imul(words[i + lane] ?? 0, C[lane]!), SPIN[lane]!);
      const mixed = h[lane]! ^ Math.imul(spun, C[(lane + 1) % 4]!);
      h[lane] = (Math.imul(rotate(mixed, TURN[lane]!) + h[(lane + 1) % 4]!, 5) + ADD[lane]!) | 0;
    }
  }
  const sum = (): void => {
    for (let lane = 1; lane < 4; lane++) h[0] = (h[0]! + h[lane]!) | 0;
    for (let lane = 1; lane < 4; lane++) h[lane] = (h[lane]! + h[0]!) | 0;
  };
  for (let lane = 0; lane < 4; lane++) h[lane]! ^= words.length * 4;
  sum();
  for (let lane = 0; lane < 4; lane++) h[lane] = finish(h[lane]!);
  sum();
  return h;
}

function finish(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function hex(words: readonly number[]): string {
  return Buffer.from(Int32Array.from(words).buffer).toString("hex");
}
