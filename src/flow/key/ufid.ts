import {
  OVS_KEY_ATTR_ENCAP,
  OVS_NSH_KEY_ATTR_BASE,
  OVS_NSH_KEY_ATTR_MD1,
} from "../../uapi/openvswitch.ts";
import { MillraceError } from "../../sys/errors.ts";
import { isZero } from "../bytes.ts";
import { type HashState, hashWords, seedOf } from "./hash.ts";
import { HashedWords } from "./hashed-words.ts";
import { LEVELS, SLOT_UNKNOWN, SLOTS, WORD_SLOTS } from "./levels.ts";
import { keyOffset, type KeyRecord, maskOffset, WORDS_OF_SLOT } from "./record.ts";
import { matchesIpv6 } from "./redundant-headers.ts";
import {
  SLOT_CT_TUPLE4,
  SLOT_CT_TUPLE6,
  SLOT_ENCAP,
  SLOT_ETHERNET,
  SLOT_IPV6_EXTHDRS,
  SLOT_MPLS,
  SLOT_NSH,
  SLOT_TUNNEL,
} from "./slots.ts";
import { fieldNamed, KEYS, SIZE_OF_SLOT, TYPE_OF_SLOT } from "./table.ts";
import { hashTunnel } from "./tunnel-ufid.ts";

/**
 * The UFID of a flow is a fixed 128-bit hash of what the kernel matches. These words are hashed:
 *
 *   for each attribute with a bit that is matched, in ascending type:
 *     type | length << 16, the bytes of the value under its mask, the bytes of the mask
 *
 * Type and length are the kernel's; bytes are padded with zeros to whole words. The value of a nest
 * (ENCAP, TUNNEL, NSH, and VXLAN_OPTS in a tunnel) is again such a list, without a mask. The
 * presence of an Ethernet header or a tunnel is matched as well: if none of its bits is matched,
 * its type and length are hashed without value and mask. Nothing else is hashed: no slot, order or
 * layout of a record.
 *
 * So a flow in text and the kernel's dump of it have the same UFID, by which millrace recognizes
 * its own flows.
 */

/** Bytes of a UFID. */
export const UFID_SIZE = 16;

/**
 * Part of every hash. After a change, millrace no longer recognizes the flows of older versions as
 * its own.
 */
const UFID_VERSION = 2;

const ENCODER = new TextEncoder();

/**
 * The seed of UFIDs: a hash of the version and the owner's name, empty by default. Flows of
 * different owners have different UFIDs.
 */
export type UfidSeed = HashState;

/** The seed without an owner. */
export const NO_OWNER: UfidSeed = makeSeed(new Uint8Array(0));

/** The longest name of an owner, in bytes of UTF-8. */
const OWNER_BYTES_MAX = 255;

/** The seed of an owner. @throws MillraceError `USAGE` if the name is too long */
export function ufidSeed(owner = ""): UfidSeed {
  if (owner === "") return NO_OWNER;
  const name = ENCODER.encode(owner);
  if (name.length <= OWNER_BYTES_MAX) return makeSeed(name);
  const text = `the owner's name has ${name.length} bytes, at most ${OWNER_BYTES_MAX} are allowed`;
  throw new MillraceError("USAGE", text);
}

function makeSeed(name: Uint8Array): UfidSeed {
  const words = new Int32Array(2 + ((name.length + 3) >> 2));
  words[0] = UFID_VERSION;
  words[1] = name.length;
  new Uint8Array(words.buffer).set(name, 8);
  return seedOf(words);
}

const SCRATCH = new HashedWords({ sources: false });
const TRACED = new HashedWords({ sources: true });

/** Writes the UFID of a key in normal form: 16 bytes at `at`, a multiple of four, of `out`. */
export function writeUfid(
  record: KeyRecord,
  out: Int32Array,
  at: number,
  seed: UfidSeed = NO_OWNER,
): void {
  gatherLevel(record, 0, SCRATCH.clear());
  SCRATCH.end();
  hashWords(SCRATCH.words, SCRATCH.count, out, at, seed);
}

/**
 * A copy of the words that {@link writeUfid} hashes, and for each word of a value the offset in the
 * record of its first byte; -1 for all other words. Zeros follow them, as `hashWords` requires. For
 * callers that hash many keys of one pattern.
 */
export function hashedWords(record: KeyRecord): {
  words: Int32Array;
  count: number;
  sources: Int32Array;
} {
  gatherLevel(record, 0, TRACED.clear());
  const { count } = TRACED;
  const words = new Int32Array((count + 3) & ~3);
  words.set(TRACED.words.subarray(0, count));
  return { words, count, sources: TRACED.sources?.slice(0, count) ?? new Int32Array(0) };
}

/** The slots of all keys but ENCAP, in ascending type. */
const BY_TYPE: Uint8Array = Uint8Array.from(
  KEYS.filter(({ slot }) => slot !== SLOT_ENCAP).toSorted((a, b) => a.type - b.type),
  ({ slot }) => slot,
);

/** 1 for keys for which not exactly the matched bits are hashed. */
const HAS_RULE: Uint8Array = new Uint8Array(SLOTS);
for (const slot of [
  SLOT_TUNNEL,
  SLOT_CT_TUPLE4,
  SLOT_CT_TUPLE6,
  SLOT_IPV6_EXTHDRS,
  SLOT_NSH,
  SLOT_MPLS,
]) {
  HAS_RULE[slot] = 1;
}

/** Adds the matched attributes of a level. */
function gatherLevel(record: KeyRecord, level: number, out: HashedWords): void {
  let left = record.count[level]!;
  // ENCAP has the lowest type.
  if (record.has(level, SLOT_ENCAP)) {
    left--;
    if (level + 1 < LEVELS) {
      const nest = out.nest(OVS_KEY_ATTR_ENCAP);
      gatherLevel(record, level + 1, out);
      out.endNest(nest, false);
    }
  }
  const hasUnknown = record.has(level, SLOT_UNKNOWN);
  const metadata = record.metadata(level);
  const headers = record.headers(level);
  let above = -1;
  for (let i = 0; left > 0 && i < BY_TYPE.length; i++) {
    const slot = BY_TYPE[i]!;
    // A shift counts modulo 32.
    if ((((slot < WORD_SLOTS ? metadata : headers) >>> slot) & 1) === 0) continue;
    left--;
    if (hasUnknown) {
      gatherUnknown(record, level, above, TYPE_OF_SLOT[slot]!, out);
      above = TYPE_OF_SLOT[slot]! - 1;
    }
    if (HAS_RULE[slot] === 1) gatherByRule(record, level, slot, out);
    else gatherPlain(record, level, slot, SIZE_OF_SLOT[slot]!, out);
  }
  if (hasUnknown) gatherUnknown(record, level, above, Number.POSITIVE_INFINITY, out);
}

function gatherPlain(
  { ints }: KeyRecord,
  level: number,
  slot: number,
  size: number,
  out: HashedWords,
): void {
  const key = keyOffset(level, slot) >> 2;
  const mask = key + WORDS_OF_SLOT[slot]!;
  const isMatched = out.attribute(ints, TYPE_OF_SLOT[slot]!, size, key, mask);
  if (!isMatched && slot === SLOT_ETHERNET) out.bare(TYPE_OF_SLOT[slot]!);
}

function gatherByRule(record: KeyRecord, level: number, slot: number, out: HashedWords): void {
  if (slot === SLOT_TUNNEL) {
    const nest = out.nest(TYPE_OF_SLOT[slot]!);
    hashTunnel(record, out);
    out.endNest(nest, true);
  } else if (slot === SLOT_NSH) {
    gatherNsh(record, level, out);
  } else if (slot === SLOT_MPLS) {
    gatherPlain(record, level, slot, record.mplsEntries[level]! * 4, out);
  } else if (!isHidden(record, level, slot)) {
    gatherPlain(record, level, slot, SIZE_OF_SLOT[slot]!, out);
  }
}

/**
 * Whether a kernel matches the attribute but does not dump it (`ovs_ct_put_key`,
 * `__ovs_nla_put_key`): a tuple whose protocol is zero, or extension headers of packets that are
 * not IPv6. The hash must be that of the dump, so it leaves them out.
 */
function isHidden(record: KeyRecord, level: number, slot: number): boolean {
  const at = keyOffset(level, slot);
  if (slot === SLOT_CT_TUPLE4) return record.bytes[at + CT_TUPLE4_PROTO] === 0;
  if (slot === SLOT_CT_TUPLE6) return record.bytes[at + CT_TUPLE6_PROTO] === 0;
  return slot === SLOT_IPV6_EXTHDRS && !matchesIpv6(record);
}

const CT_TUPLE4_PROTO: number = fieldNamed("ct_tuple4", "proto").offset;
const CT_TUPLE6_PROTO: number = fieldNamed("ct_tuple6", "proto").offset;

/**
 * The members of NSH, which is a nest in the kernel: the base header, and the context of metadata
 * of type 1.
 */
const NSH_MEMBERS: readonly (readonly [type: number, offset: number, size: number])[] = [
  [OVS_NSH_KEY_ATTR_BASE, 0, 8],
  [OVS_NSH_KEY_ATTR_MD1, 8, 16],
];

function gatherNsh(record: KeyRecord, level: number, out: HashedWords): void {
  const nest = out.nest(TYPE_OF_SLOT[SLOT_NSH]!);
  const key = keyOffset(level, SLOT_NSH);
  const mask = maskOffset(level, SLOT_NSH);
  for (const [type, offset, size] of NSH_MEMBERS) {
    if (isZero(record.bytes, mask + offset, size)) continue;
    out.member(record, type, size, key + offset, mask + offset);
  }
  out.endNest(nest, false);
}

/**
 * Adds the attributes without a name whose types lie between `above` and `below`, both excluded.
 */
function gatherUnknown(
  record: KeyRecord,
  level: number,
  above: number,
  below: number,
  out: HashedWords,
): void {
  for (const unknown of record.unknown) {
    if (unknown.level !== level || unknown.type <= above || unknown.type >= below) continue;
    if (isZero(unknown.mask, 0, unknown.mask.length)) continue;
    out.unknown(unknown.type, unknown.key, unknown.mask);
  }
}
