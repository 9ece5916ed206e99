import { LEVELS, levelOfWord, lowestSlot, SLOT_UNKNOWN } from "../flow/key/levels.ts";
import { normalize } from "../flow/key/normal-form.ts";
import { haveSameMask, maskHash, overlaps } from "../flow/key/overlap.ts";
import { KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "../flow/key/record.ts";
import { SLOT_ETHERNET, SLOT_ETHERTYPE } from "../flow/key/slots.ts";
import { type FlowParts, haveSameUfid, newFlowParts, readMatch } from "../flow/parts.ts";
import type { FlowTable } from "./flow-table.ts";

/** Flows of one mask, which differ only in values. */
type MaskClass = {
  readonly like: KeyRecord;
  /** A match with that mask, whose values are set for each look-up. */
  readonly probe: KeyRecord;
};

/**
 * Finds the flows of a set because of which a kernel would refuse another flow. The kernel looks up
 * the masked key of the new flow like a packet, under each mask (`ovs_flow_tbl_lookup` in
 * `ovs_flow_cmd_new`), and refuses the new flow if it finds one. So an existing wide flow blocks a
 * narrow one, but not vice versa.
 */
export class Obstacles {
  readonly #held: FlowTable;
  readonly #classes: readonly MaskClass[];
  readonly #record = new KeyRecord();

  constructor(held: FlowTable) {
    this.#held = held;
    this.#classes = classesOf(held);
  }

  /** Numbers of the flows that block `flow`; usually empty. */
  of(flow: FlowParts): readonly number[] {
    const record = this.#record;
    if (!readMatch(flow, record)) return NONE;
    normalize(record);
    let found: number[] | undefined;
    for (const { like, probe } of this.#classes) {
      if (!setValues(probe, like, record) || haveSameMask(like, record)) continue;
      const number = this.#held.numberOfMatch(probe);
      if (number >= 0) (found ??= []).push(number);
    }
    return found ?? NONE;
  }
}

const NONE: readonly number[] = [];

/**
 * Whether a kernel refuses each of two flows while the other one is there, so that it never holds
 * both: 10.0.0.0/8 and 10.0.0.0/16 have the same masked key.
 */
export function excludeEachOther(flow: FlowParts, held: FlowParts): boolean {
  const own = readNormal(flow, new KeyRecord());
  const other = readNormal(held, new KeyRecord());
  return overlaps(own, other) && overlaps(other, own);
}

/**
 * Which held flows have the UFIDs of new ones, whose matches are others: a kernel refuses a new flow
 * because of that, too.
 */
export class UfidHolders {
  /** For new flows, by number, the held flow with the same UFID. */
  readonly #holders = new Map<number, number>();

  constructor(wanted: FlowTable, news: readonly number[], held: FlowTable) {
    const flow = newFlowParts();
    const other = newFlowParts();
    const byHash = new Map<number, number>();
    /** New flows whose hash another one has: usually none. */
    const more: number[] = [];
    for (const index of news) {
      if (wanted.read(index, flow).ufid.start < 0) continue;
      const hash = ufidHash(flow);
      if (byHash.has(hash)) more.push(index);
      else byHash.set(hash, index);
    }
    for (let at = 0; at < held.size; at++) {
      const first = byHash.get(ufidHash(held.read(at, other)));
      if (first === undefined) continue;
      for (const index of [first, ...more]) {
        if (haveSameUfid(wanted.read(index, flow), other)) this.#holders.set(index, at);
      }
    }
  }

  /** The number of the flow that holds the UFID of a new flow; -1 if there is none. */
  of(index: number): number {
    return this.#holders.get(index) ?? -1;
  }
}

/** A hash of the UFID of a flow. */
export function ufidHash({ bytes, ufid }: FlowParts): number {
  let hash = ufid.end - ufid.start;
  for (let at = ufid.start; at < ufid.end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash;
}

function classesOf(held: FlowTable): readonly MaskClass[] {
  const byHash = new Map<number, MaskClass[]>();
  const all: MaskClass[] = [];
  const record = new KeyRecord();
  for (const flow of held.flows()) {
    readNormal(flow, record);
    const hash = maskHash(record);
    const same = byHash.get(hash);
    if (same?.some(({ like }) => haveSameMask(like, record)) === true) continue;
    const made = {
      like: readNormal(flow, new KeyRecord()),
      probe: readNormal(flow, new KeyRecord()),
    };
    all.push(made);
    if (same === undefined) byHash.set(hash, [made]);
    else same.push(made);
  }
  return all;
}

function readNormal(flow: FlowParts, record: KeyRecord): KeyRecord {
  readMatch(flow, record);
  normalize(record);
  return record;
}

/**
 * Sets the values of a match to those of a flow under the match's mask.
 * @returns false if no packet with these values could match, because the frame has another form
 */
function setValues(probe: KeyRecord, like: KeyRecord, flow: KeyRecord): boolean {
  if (like.has(0, SLOT_ETHERNET) !== flow.has(0, SLOT_ETHERNET)) return false;
  for (let level = 0; level < LEVELS; level++) {
    const at = keyOffset(level, SLOT_ETHERTYPE) >> 2;
    const bits = like.ints[maskOffset(level, SLOT_ETHERTYPE) >> 2]!;
    if (((like.ints[at]! ^ flow.ints[at]!) & bits) !== 0) return false;
  }
  for (let word = 0; word < like.present.length; word++) {
    const level = levelOfWord(word);
    for (let left = like.present[word]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(word, left);
      if (slot === SLOT_UNKNOWN) continue;
      const key = keyOffset(level, slot) >> 2;
      const mask = maskOffset(level, slot) >> 2;
      for (let i = 0; i < WORDS_OF_SLOT[slot]!; i++) {
        probe.ints[key + i] = flow.ints[key + i]! & like.ints[mask + i]!;
      }
    }
  }
  return true;
}
