import { decodeKey } from "../../flow/key/decode.ts";
import { normalize } from "../../flow/key/normal-form.ts";
import { KeyRecord } from "../../flow/key/record.ts";
import { type UfidSeed, writeUfid } from "../../flow/key/ufid.ts";
import type { PortNames } from "../../flow/ports.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import type { FlowSetChunkFacts } from "./layout.ts";
import { hasOwnUfid, KEY_AT, keyEnd, UFID_AT } from "./messages.ts";

/** A flow that cannot be sent, because it names a port that does not exist. */
export type NamelessPort = {
  /** The first word of its message. */
  readonly at: number;
  readonly name: string;
};

/** Messages, `start` to `end` of `words`, with their facts. */
type Chunk = {
  readonly words: Int32Array;
  readonly start: number;
  readonly end: number;
  readonly facts: FlowSetChunkFacts;
};

/**
 * Writes the numbers of named ports into the messages of a chunk, and computes the UFIDs again that
 * are a hash of such a number. The places must be valid (`placesArePorts`).
 * @param seed the seed of the flows' owner
 * @returns the flows that name a port that does not exist, in order
 */
export function resolvePorts(
  { words, start, end, facts }: Chunk,
  ports: PortNames | undefined,
  seed: UfidSeed,
): NamelessPort[] {
  const { names = [], ports: places = [] } = facts;
  const numbers = names.map((name) => ports?.numberOf(name));
  const unknown: NamelessPort[] = [];
  let at = start;
  let hashed = -1;
  for (let i = 0; i < places.length; i += 2) {
    const place = start + (places[i] ?? 0);
    while (at < end && place >= at + ((words[at] ?? 0) >> 2)) at += (words[at] ?? 0) >> 2;
    const index = places[i + 1] ?? 0;
    const number = numbers[index];
    if (number === undefined) {
      if (unknown.at(-1)?.at !== at) unknown.push({ at, name: names[index] ?? "" });
      continue;
    }
    words[place] = number;
    if (place >= keyEnd(words, at) || hasOwnUfid(words, at)) continue;
    if (hashed >= 0 && hashed !== at) hashAnew(words, hashed, seed);
    hashed = at;
  }
  if (hashed >= 0) hashAnew(words, hashed, seed);
  return unknown;
}

const RECORD = new KeyRecord();

/**
 * Changes the UFIDs of a chunk, `start` to `end` of `words`, to those of an owner, except given
 * UFIDs.
 */
export function changeOwner(words: Int32Array, start: number, end: number, seed: UfidSeed): void {
  for (let at = start; at < end; at += (words[at] ?? 0) >> 2) {
    if (!hasOwnUfid(words, at)) hashAnew(words, at, seed);
  }
}

/**
 * Writes the UFID of the message at `at`. If the key is unreadable, the kernel will refuse it
 * anyway.
 */
function hashAnew(words: Int32Array, at: number, seed: UfidSeed): void {
  if (!decodeMatch(words, at)) return;
  normalize(RECORD);
  writeUfid(RECORD, words, at * 4 + UFID_AT * 4 + NLA_HEADER, seed);
}

/** Reads key and mask of the message at `at`. @returns false if they are malformed */
export function decodeMatch(words: Int32Array, at: number): boolean {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const key = (at + KEY_AT) * 4;
  const mask = keyEnd(words, at) * 4;
  const keyStop = key + ((words[key >> 2] ?? 0) & 0xffff);
  const maskStop = mask + ((words[mask >> 2] ?? 0) & 0xffff);
  return decodeKey(bytes, key + NLA_HEADER, keyStop, mask + NLA_HEADER, maskStop, RECORD);
}
