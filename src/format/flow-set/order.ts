import { KeyRecord } from "../../flow/key/record.ts";
import type { MaskClass } from "../../flow/mask-class.ts";
import { MaskGroups } from "../../flow/mask-groups.ts";
import { decodeFlow, newFlowParts, readMatch } from "../../flow/parts.ts";
import { align } from "../../netlink/align.ts";
import { AttributeReader } from "../../netlink/attribute-reader.ts";
import { assert } from "../../sys/errors.ts";
import { chunkFacts, unpackFacts } from "./facts.ts";
import { type FlowSetChunkFacts, RECORD_PREFIX } from "./layout.ts";
import { hasOwnUfid, isAdd, isPut, keyEnd, LINE_AT, UFID_AT } from "./messages.ts";
import type { FlowSetWriter, PortUse } from "./writer.ts";

/**
 * Orders a flow set so that a kernel takes it fastest. A put walks every existing mask, so flows
 * that overlap no others are sorted by the number of flows that share their mask, most first. Flows
 * that overlap keep their order.
 */

/** The resulting order of a flow set. */
export type FlowSetOrder = {
  /** `file`: the order of the input; `masks`: another one. */
  readonly order: "file" | "masks";
  /** The number of masks; null if they were not examined. */
  readonly masks: number | null;
  /**
   * The number of masks that a put walks on average, in the order of the input; null if not
   * examined.
   */
  readonly walkedInFileOrder: number | null;
  /** The same in the order of the set. */
  readonly walked: number | null;
  /** Why the order of the input was kept although another might be faster; empty otherwise. */
  readonly reason: string;
};

/**
 * The most bytes of records held for reordering. Beyond that, they are written in their original
 * order.
 */
const HELD_BYTES_MAX = 512 << 20;

/**
 * With more masks, some kernels run out of memory for them: then the order would decide which flows
 * fail.
 */
const MASKS_MAX = 4000;

/** Where the messages of a record begin. */
const FIRST_WORD = RECORD_PREFIX >> 2;

/**
 * The number of masks that another order must save each put on average: walking one costs a
 * fiftieth of a put.
 */
const WORTHWHILE_MASKS = 2;

const READER = new AttributeReader();

const NOT_LOOKED_AT = { masks: null, walkedInFileOrder: null, walked: null } as const;

/** A chunk of a flow set, in memory. */
type Chunk = {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly facts: FlowSetChunkFacts;
};

/**
 * The places of flows: for each its chunk, the first word of its message there, and the ports that
 * it names.
 */
type Places = {
  readonly chunks: readonly Chunk[];
  readonly chunkOf: Int32Array;
  readonly at: Int32Array;
  readonly ports: ReadonlyMap<number, readonly PortUse[]>;
};

/** Flows that keep their relative order, and the number of their masks. */
type Group = { readonly flows: number[]; masks: number };

/** Holds back the records of a flow set until all are there. */
export class HeldRecords {
  readonly #out: (bytes: Uint8Array) => void;
  #held: Uint8Array[] | undefined = [];
  #bytes = 0;

  /** @param out takes them then */
  constructor(out: (bytes: Uint8Array) => void) {
    this.#out = out;
  }

  readonly write = (record: Uint8Array): void => {
    if (this.#held === undefined) {
      this.#out(record);
      return;
    }
    this.#held.push(record.slice());
    this.#bytes += record.length;
    if (this.#bytes > HELD_BYTES_MAX) this.#release();
  };

  /**
   * Writes the set, in another order if that is faster and has no other effect.
   * @param writer makes the writer of the reordered set
   */
  finish(lines: number, writer: () => FlowSetWriter): FlowSetOrder {
    if (this.#held === undefined)
      return {
        order: "file",
        ...NOT_LOOKED_AT,
        reason: "the set is too large to be held in memory",
      };
    const places = placesOf(this.#held);
    const { found, groups } = examine(places);
    if (groups === undefined) {
      this.#release();
      return found;
    }
    const out = writer();
    for (const { flows } of groups) for (const flow of flows) copy(places, flow, out);
    out.finish(lines);
    this.#held = undefined;
    return found;
  }

  #release(): void {
    for (const record of this.#held ?? []) this.#out(record);
    this.#held = undefined;
  }
}

function placesOf(records: readonly Uint8Array[]): Places {
  const chunks: Chunk[] = [];
  for (const bytes of records) {
    const length = new DataView(bytes.buffer).getUint32(RECORD_PREFIX - 4);
    if (length === 0) continue;
    const facts = chunkFacts(unpackFacts(bytes.subarray(RECORD_PREFIX + length)) ?? {});
    assert(facts !== undefined, "a record says what it holds");
    chunks.push({ words: new Int32Array(bytes.buffer), bytes, facts });
  }
  const flows = chunks.reduce((sum, { facts }) => sum + facts.flows, 0);
  const chunkOf = new Int32Array(flows);
  const at = new Int32Array(flows);
  const ports = new Map<number, PortUse[]>();
  let flow = 0;
  for (const [index, { words, facts }] of chunks.entries()) {
    const { ports: uses = [], names = [] } = facts;
    let word = FIRST_WORD;
    let use = 0;
    for (let left = facts.flows; left > 0; left--, flow++) {
      chunkOf[flow] = index;
      at[flow] = word;
      const end = word + (words[word]! >> 2) - FIRST_WORD;
      for (; use < uses.length && uses[use]! < end; use += 2) {
        const named = { word: uses[use]! - (word - FIRST_WORD), name: names[uses[use + 1]!] ?? "" };
        ports.set(flow, [...(ports.get(flow) ?? []), named]);
      }
      word = end + FIRST_WORD;
    }
  }
  return { chunks, chunkOf, at, ports };
}

// Finds the best order. The result has groups, in that order, if reordering is worthwhile.
function examine(places: Places): { found: FlowSetOrder; groups?: readonly Group[] } {
  const stay = (reason: string, facts: Partial<FlowSetOrder> = {}): { found: FlowSetOrder } => ({
    found: { order: "file", ...NOT_LOOKED_AT, ...facts, reason },
  });
  if (haveOneMask(places))
    return stay("", { masks: Math.min(places.at.length, 1), walkedInFileOrder: 1, walked: 1 });
  const classes = new MaskGroups();
  const flows = places.at.length;
  const classOf = new Int32Array(flows);
  if (!classify(places, classes, classOf)) return stay("a flow cannot be read");
  const masks = classes.masks.length;
  const walkedInFileOrder = walkedOf(classOf, masks);
  const seen = { masks, walkedInFileOrder, walked: walkedInFileOrder };
  const best = leastWalked(classes.masks, flows);
  if (walkedInFileOrder - best < WORTHWHILE_MASKS) return stay("", seen);
  if (masks > MASKS_MAX) return stay(`a kernel may not have room for ${masks} masks`, seen);
  if (!places.at.every((at, flow) => isPut(chunkAt(places, flow).words, at)))
    return stay("there are lines that modify or delete", seen);
  if (!haveOwnNames(places)) return stay("two flows were given the same UFID", seen);
  const groups = groupsOf(classes, classOf);
  const walked = walkedOf(
    Int32Array.from(
      groups.flatMap((group) => group.flows),
      (index) => classOf[index]!,
    ),
    masks,
  );
  if (walkedInFileOrder - walked < WORTHWHILE_MASKS)
    return stay("flows of different masks overlap", seen);
  return { found: { order: "masks", masks, walkedInFileOrder, walked, reason: "" }, groups };
}

function chunkAt({ chunks, chunkOf }: Places, flow: number): Chunk {
  return chunks[chunkOf[flow]!]!; // as placesOf made it
}

// Most sets have one mask; checking that takes a tenth of the time of decoding the flows.
function haveOneMask(places: Places): boolean {
  let first: Int32Array | undefined;
  for (let flow = 0; flow < places.at.length; flow++) {
    const { words } = chunkAt(places, flow);
    const start = keyEnd(words, places.at[flow]!);
    const length = align(words[start]! & 0xffff) >> 2;
    first ??= words.subarray(start, start + length);
    if (length !== first.length) return false;
    for (let i = 0; i < length; i++) if (words[start + i] !== first[i]) return false;
  }
  return true;
}

function classify(places: Places, classes: MaskGroups, classOf: Int32Array): boolean {
  const parts = newFlowParts();
  const record = new KeyRecord();
  const views = places.chunks.map(({ bytes }) => new DataView(bytes.buffer));
  for (let flow = 0; flow < classOf.length; flow++) {
    const { bytes, words } = chunkAt(places, flow);
    const at = places.at[flow]!;
    const view = views[places.chunkOf[flow]!]!;
    decodeFlow({ bytes, view, start: (at + UFID_AT) * 4, end: at * 4 + words[at]! }, parts);
    if (!readMatch(parts, record)) return false;
    const key = keyEnd(words, at) - at;
    const anyPort = places.ports.get(flow)?.some(({ word }) => word < key) === true;
    classOf[flow] = classes.add(record, anyPort);
  }
  return true;
}

/**
 * How many masks a put walks on average with the masks in this order: those before its own, and its
 * own.
 */
function walkedOf(classOf: Int32Array, masks: number): number {
  const seen = new Uint8Array(masks);
  let there = 0;
  let walked = 0;
  for (const index of classOf) {
    if (seen[index] === 0) {
      seen[index] = 1;
      there++;
    }
    walked += there;
  }
  return classOf.length === 0 ? 0 : walked / classOf.length;
}

function leastWalked(masks: readonly MaskClass[], flows: number): number {
  const counts = masks.map(({ count }) => count);
  let walked = 0;
  counts.sort((a, b) => b - a).forEach((count, i) => (walked += count * (i + 1)));
  return flows === 0 ? 0 : walked / flows;
}

// The groups, sorted by flows per mask, most first; then by their first flows.
function groupsOf(classes: MaskGroups, classOf: Int32Array): Group[] {
  const groupOf = classes.groups();
  const groups: Group[] = [];
  for (let index = 0; index < groupOf.length; index++)
    (groups[groupOf[index]!] ??= { flows: [], masks: 0 }).masks++;
  for (let flow = 0; flow < classOf.length; flow++)
    groups[groupOf[classOf[flow]!]!]!.flows.push(flow);
  const density = ({ flows, masks }: Group): number => flows.length / masks;
  return groups.sort((a, b) => density(b) - density(a) || a.flows[0]! - b.flows[0]!);
}

// Whether no given UFID occurs twice: a kernel looks up the UFID first.
function haveOwnNames(places: Places): boolean {
  const seen = new Set<string>();
  let given = 0;
  for (const [flow, at] of places.at.entries()) {
    const { words } = chunkAt(places, flow);
    if (!hasOwnUfid(words, at)) continue;
    given++;
    seen.add(words.subarray(at + UFID_AT + 1, at + UFID_AT + 5).join());
  }
  return seen.size === given;
}

function copy(places: Places, flow: number, out: FlowSetWriter): void {
  const { words, bytes, facts } = chunkAt(places, flow);
  const at = places.at[flow]!;
  const writer = out.begin();
  const reader = READER.reset(bytes, (at + UFID_AT) * 4, at * 4 + words[at]!);
  while (reader.next())
    writer.bytes(reader.type, bytes, reader.start, reader.start + reader.length);
  const verb = isAdd(words, at) ? "add" : "put";
  const line = facts.line + words[at + LINE_AT]!;
  const ports = places.ports.get(flow) ?? [];
  const kept = out.commit({ verb, line, ownUfid: hasOwnUfid(words, at), ports });
  assert(kept, "a message that fitted once fits again");
}
