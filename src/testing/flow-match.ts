import { decodeKey, NO_MASK } from "../flow/key/decode.ts";
import { LEVELS, SLOTS } from "../flow/key/levels.ts";
import { normalize } from "../flow/key/normal-form.ts";
import { keyOffset, KeyRecord, maskOffset, WORDS_OF_SLOT } from "../flow/key/record.ts";
import * as S from "../flow/key/slots.ts";
import { keyNamed } from "../flow/key/table.ts";
import { TUNNEL_FLAGS, TUNNEL_PRESENT } from "../flow/key/tunnel-fields.ts";
import type { KernelFeatures } from "../flow/rules/features.ts";
import { holdsExactKeys, maskInto, putKernelKey } from "./kernel-key.ts";
import * as A from "../uapi/openvswitch.ts";
import { attributesOf, written } from "./wire.ts";

// What a flow of a kernel in memory matches: its key with all bits, and what is left of it under its mask.

/** In struct ovs_key_ipv6. */
const IPV6_LABEL = 32;
const NO_PORT = 0xffff_ffff;
const PORT_WORD = keyOffset(0, S.SLOT_IN_PORT) >> 2;
const PRESENT_WORD = (keyOffset(0, S.SLOT_TUNNEL) + TUNNEL_PRESENT) >> 2;

/** A key of a request, every bit of it. */
export type ExactKey = {
  /** In the words of a {@link KeyRecord}. */
  readonly words: Int32Array;
  /** Which headers of the link there are: they are always matched. */
  readonly shape: number;
  /** The same for equal keys. */
  readonly text: string;
  /** The slots of its metadata. */
  readonly present: readonly number[];
};

/** A flow that is to be put: its mask is the table's once it is. */
export type NewFlow = {
  readonly exact: ExactKey;
  readonly ufid: Uint8Array | undefined;
  readonly maskId: string;
  readonly maskWords: Int32Array;
  readonly maskBits: Int32Array;
  readonly masked: string;
  readonly keyBytes: Uint8Array;
  readonly maskBytes: Uint8Array;
};

const EXACT = holdsExactKeys(new KeyRecord());
const MATCH = new KeyRecord();
const MASKED = new KeyRecord();

/** Whether bytes are a key. */
export function isKey(key: Uint8Array): boolean {
  return (key.length & 3) === 0 && decodeKey(key, 0, key.length, NO_MASK, 0, EXACT);
}

/** Reads a key with every bit of it; undefined where the bytes are no key. */
export function readExactKey(key: Uint8Array): ExactKey | undefined {
  if (!isKey(key)) return undefined;
  const words = EXACT.ints.slice();
  if (!EXACT.has(0, S.SLOT_IN_PORT)) words[PORT_WORD] = -1;
  const present = Array.from(slotsOf(EXACT), ([, slot]) => slot);
  return { words, shape: shapeOf(EXACT), text: textOf(EXACT, true), present };
}

/** A key with all that the kernel adds to it where it dumps it. */
export function dumpExactKey(key: Uint8Array, features: KernelFeatures): Uint8Array {
  decodeKey(key, 0, key.length, NO_MASK, 0, EXACT);
  return written((writer) =>
    putKernelKey(writer, { record: EXACT, decides: EXACT, isMask: false, features }),
  );
}

/** Makes a flow of a key and a mask that the kernel takes. */
export function newFlow(
  key: Uint8Array,
  mask: Uint8Array | undefined,
  ufid: Uint8Array | undefined,
  features: KernelFeatures,
): NewFlow | undefined {
  const exact = readExactKey(key);
  if (exact === undefined) return undefined;
  const both = new Uint8Array(key.length + (mask?.length ?? 0));
  both.set(key);
  if (mask !== undefined) both.set(mask, key.length);
  const maskStart = mask === undefined ? NO_MASK : key.length;
  if (!decodeKey(both, 0, key.length, maskStart, both.length, MATCH)) return undefined;
  if (mask === undefined) matchOwnFlags(MATCH);
  const kept = Array.from(slotsOf(MATCH), ([level, slot]) =>
    keptBits(level, slot, mask === undefined),
  );
  normalize(MATCH);
  const { words, bits } = sparse(MATCH);
  maskInto(MASKED, EXACT, MATCH);
  for (const [at, byte] of kept.flat()) MASKED.bytes[at] = (MASKED.bytes[at] ?? 0) | byte;
  if (MATCH.has(0, S.SLOT_IN_PORT) && !EXACT.has(0, S.SLOT_IN_PORT))
    MASKED.words[PORT_WORD] = NO_PORT;
  const id = `${exact.shape}:${words.join()}:${bits.join()}`;
  const identified = ufid === undefined ? EXACT : MASKED;
  return {
    exact,
    ufid,
    maskId: id,
    maskWords: words,
    maskBits: bits,
    masked: textOf(MASKED, false),
    keyBytes: written((writer) =>
      putKernelKey(writer, { record: identified, decides: identified, isMask: false, features }),
    ),
    maskBytes: written((writer) =>
      putKernelKey(writer, { record: MASKED, decides: MASKED, isMask: true, features }),
    ),
  };
}

/**
 * Without a mask the kernel matches each attribute of a tunnel's key: a flag that is absent there is not matched
 * (`ovs_nla_get_match`, `ip_tun_from_nlattr`).
 */
function matchOwnFlags(record: KeyRecord): void {
  if (!record.has(0, S.SLOT_TUNNEL)) return;
  const { bytes } = record;
  const flags = bytes[keyOffset(0, S.SLOT_TUNNEL) + TUNNEL_FLAGS] ?? 0;
  bytes[maskOffset(0, S.SLOT_TUNNEL) + TUNNEL_FLAGS] = flags;
}

/** Bits of a mask that no packet has, and which the kernel dumps all the same: places and bytes. */
function keptBits(level: number, slot: number, isExact: boolean): [at: number, byte: number][] {
  const keep = (at: number, bits: number): [number, number] => [
    at,
    (isExact ? 0xff : (MATCH.bytes[at] ?? 0)) & bits,
  ];
  const at = maskOffset(level, slot);
  if (slot === S.SLOT_IPV6) return [keep(at + IPV6_LABEL, 0xff), keep(at + IPV6_LABEL + 1, 0xf0)];
  return slot === S.SLOT_TCP_FLAGS ? [keep(at, 0xf0)] : [];
}

/**
 * Whether a tag holds nothing, not even a type: where there is no mask one is made of the key, in which an empty nest
 * counts as none.
 */
export function hasEmptyTag(key: Uint8Array): boolean {
  const given = attributesOf(key);
  const inside = given.get(A.OVS_KEY_ATTR_ENCAP);
  const tag = given.get(A.OVS_KEY_ATTR_VLAN);
  if (inside === undefined || tag === undefined || tag.every((byte) => byte === 0)) return false;
  return inside.length === 0 || hasEmptyTag(inside);
}

/** Whether a key has an Ethernet type of zero, which is a length (`parse_eth_type_from_nlattrs`). */
export function hasZeroType(key: Uint8Array): boolean {
  const given = attributesOf(key);
  const type = given.get(A.OVS_KEY_ATTR_ETHERTYPE);
  if (type?.every((byte) => byte === 0) === true) return true;
  const inside = given.get(A.OVS_KEY_ATTR_ENCAP);
  return inside !== undefined && hasZeroType(inside);
}

/**
 * Whether a mask has what its key has not, but for the three attributes that may stand alone, or either of them does not
 * end on a whole word (`match_validate`, `__parse_flow_nlattrs`).
 */
export function isOddMask(key: Uint8Array, mask: Uint8Array): boolean {
  if ((mask.length & 3) !== 0) return true;
  const given = attributesOf(key);
  for (const [type, bits] of attributesOf(mask)) {
    const own = given.get(type);
    if (own === undefined) {
      if (!MASK_ALONE.has(type) && bits.some((byte) => byte !== 0)) return true;
    } else if (type === A.OVS_KEY_ATTR_ENCAP && isOddMask(own, bits)) return true;
  }
  return false;
}

const MASK_ALONE: ReadonlySet<number> = new Set([
  A.OVS_KEY_ATTR_TUNNEL,
  A.OVS_KEY_ATTR_IN_PORT,
  A.OVS_KEY_ATTR_ETHERTYPE,
]);

/** The words of a mask that are not zero, by the words of the key that they are for. */
function sparse(record: KeyRecord): { words: Int32Array; bits: Int32Array } {
  const found: [number, number][] = [];
  for (const [level, slot] of slotsOf(record)) {
    const words = WORDS_OF_SLOT[slot] ?? 0;
    const key = keyOffset(level, slot) >> 2;
    const mask = maskOffset(level, slot) >> 2;
    for (let i = 0; i < words; i++) {
      const bits = record.ints[mask + i] ?? 0;
      if (bits !== 0) found.push([key + i, bits]);
    }
  }
  found.sort(([a], [b]) => a - b);
  return {
    words: Int32Array.from(found, ([word]) => word),
    bits: Int32Array.from(found, ([, bits]) => bits),
  };
}

function* slotsOf(record: KeyRecord): Generator<[level: number, slot: number]> {
  for (let level = 0; level < LEVELS; level++) {
    for (let i = 0; i < (record.count[level] ?? 0); i++) {
      yield [level, record.order[level * SLOTS + i] ?? 0];
    }
  }
}

function shapeOf(record: KeyRecord): number {
  let shape = record.has(0, S.SLOT_ETHERNET) ? 1 : 0;
  for (let level = 0; level + 1 < LEVELS; level++) {
    if (record.has(level, S.SLOT_ENCAP)) shape |= 2 << level;
  }
  return shape;
}

/**
 * A key as text: all words that are not zero, and what its absence says. Equal keys have the same text. Which
 * attributes of a tunnel were given is no part of a key.
 */
function textOf(record: KeyRecord, isExact: boolean): string {
  const found: string[] = [];
  for (const [level, slot] of slotsOf(record)) {
    const key = keyOffset(level, slot) >> 2;
    for (let i = 0; i < (WORDS_OF_SLOT[slot] ?? 0); i++) {
      const word = record.ints[key + i] ?? 0;
      if (word !== 0 && key + i !== PRESENT_WORD) found.push(`${key + i}=${word}`);
    }
  }
  if (isExact && !record.has(0, S.SLOT_IN_PORT)) found.push(`${PORT_WORD}=-1`);
  if (isOf802(record, isExact)) found.push("802.2");
  return `${shapeOf(record)} ${found.sort().join()}`;
}

/**
 * What is compared of a key with another one: only what lies between the first and the last field that the other one
 * has in struct sw_flow_key (`flow_cmp_masked_key`).
 */
export function compared(text: string, { present }: ExactKey): string {
  const left = UNCOMPARED.filter((slots) => !slots.some((slot) => present.includes(slot)));
  if (left.length === 0) return text;
  const outside = new Set(left.flatMap((slots) => slots.flatMap(wordsOf)));
  return text
    .split(",")
    .filter((part) => !outside.has(Number(/^(?:\d+ )?(\d+)=/.exec(part)?.[1] ?? -1)))
    .join();
}

/** Before the port, which every key has, and behind all headers. */
const UNCOMPARED: readonly (readonly number[])[] = [
  [S.SLOT_TUNNEL],
  [keyNamed("skb_priority").slot, keyNamed("skb_mark").slot],
  [keyNamed("ct_mark").slot, keyNamed("ct_label").slot],
];

function wordsOf(slot: number): number[] {
  const first = keyOffset(0, slot) >> 2;
  return Array.from({ length: WORDS_OF_SLOT[slot] ?? 0 }, (_, i) => first + i);
}

/** The key is that of a frame without an Ethernet type. */
function isOf802(record: KeyRecord, isExact: boolean): boolean {
  if (!record.has(0, S.SLOT_ETHERNET)) return false;
  let level = 0;
  while (level + 1 < LEVELS && record.has(level, S.SLOT_ENCAP)) level++;
  if (!record.has(level, S.SLOT_ETHERTYPE)) return isExact;
  return (
    record.bytes[keyOffset(level, S.SLOT_ETHERTYPE)] === 0 &&
    !record.isWild(level, S.SLOT_ETHERTYPE)
  );
}

export function under(exact: ExactKey, words: Int32Array, bits: Int32Array): string {
  let text = "";
  for (let i = 0; i < words.length; i++)
    text += `${(exact.words[words[i] ?? 0] ?? 0) & (bits[i] ?? 0)},`;
  return text;
}

/** What a flow would match, as {@link HeldFlow.match} says it. */
export function matchOf({ exact, maskId, maskWords, maskBits }: NewFlow): string {
  return `${maskId} ${under(exact, maskWords, maskBits)}`;
}
