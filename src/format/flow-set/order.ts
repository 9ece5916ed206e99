import {
  type FlowOrder,
  type FoundOrder,
  MaskOrder,
  orderOfFile,
  orderOfOneMask,
  SAME_UFID,
} from "../../flow/mask-order.ts";
import { IdentitySet } from "../../flow/identity-set.ts";
import { UFID_SIZE } from "../../flow/key/ufid.ts";
import { decodeFlow, newFlowParts } from "../../flow/parts.ts";
import { align } from "../../netlink/align.ts";
import { AttributeReader } from "../../netlink/attribute-reader.ts";
import { assert } from "../../sys/errors.ts";
import { chunkFacts, unpackFacts } from "./facts.ts";
import { type FlowSetChunkFacts, RECORD_PREFIX } from "./layout.ts";
import { hasOwnUfid, isAdd, isPut, keyEnd, LINE_AT, UFID_AT } from "./messages.ts";
import type { FlowSetWriter, PortUse } from "./writer.ts";

/** Puts the flows of a set into the order in which a kernel takes them fastest; see `MaskOrder`. */

/**
 * The most bytes of records held for reordering. Beyond that, they are written in their original
 * order.
 */
const HELD_BYTES_MAX = 512 << 20;

/** Where the messages of a record begin. */
const FIRST_WORD = RECORD_PREFIX >> 2;

const READER = new AttributeReader();

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
  finish(lines: number, writer: () => FlowSetWriter): FlowOrder {
    if (this.#held === undefined) return orderOfFile("the set is too large to be held in memory");
    const places = placesOf(this.#held);
    const { found, flows } = examine(places);
    if (flows === undefined) {
      this.#release();
      return found;
    }
    const out = writer();
    for (const flow of flows) copy(places, flow, out);
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

function examine(places: Places): FoundOrder {
  if (haveOneMask(places)) return { found: orderOfOneMask(places.at.length) };
  const order = new MaskOrder();
  if (!readAll(places, order)) return { found: orderOfFile("a flow cannot be read") };
  return order.find(() => {
    if (!places.at.every((at, flow) => isPut(chunkAt(places, flow).words, at)))
      return "there are lines that modify or delete";
    return haveOwnNames(places) ? "" : SAME_UFID;
  });
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

function readAll(places: Places, order: MaskOrder): boolean {
  const parts = newFlowParts();
  const views = places.chunks.map(({ bytes }) => new DataView(bytes.buffer));
  for (let flow = 0; flow < places.at.length; flow++) {
    const { bytes, words } = chunkAt(places, flow);
    const at = places.at[flow]!;
    const view = views[places.chunkOf[flow]!]!;
    decodeFlow({ bytes, view, start: (at + UFID_AT) * 4, end: at * 4 + words[at]! }, parts);
    const key = keyEnd(words, at) - at;
    const anyPort = places.ports.get(flow)?.some(({ word }) => word < key) === true;
    if (!order.add(parts, anyPort)) return false;
  }
  return true;
}

// Whether no UFID was given, or none occurs twice.
function haveOwnNames(places: Places): boolean {
  const ufids = new IdentitySet();
  let [given, repeated] = [false, false];
  for (const [flow, at] of places.at.entries()) {
    const { words, bytes } = chunkAt(places, flow);
    const ufid = (at + UFID_AT + 1) * 4;
    given ||= hasOwnUfid(words, at);
    if (!ufids.add(bytes, ufid, ufid + UFID_SIZE)) repeated = true;
  }
  return !given || !repeated;
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
