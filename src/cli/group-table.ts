import { TextSink } from "../flow/text/sink.ts";

/**
 * Groups of flows, with names that are bytes, and counters. It takes some 60 bytes per group
 * besides its name: there may be as many groups as flows.
 */
export class GroupTable {
  size = 0;
  flows: Float64Array = new Float64Array(ROOM);
  packets: Float64Array = new Float64Array(ROOM);
  bytes: Float64Array = new Float64Array(ROOM);
  readonly #names = new TextSink();
  /** The end of each group's name; the first begins at 0. */
  #ends = new Int32Array(ROOM);
  /** Open addressing, at most half full: the group's index + 1, 0 for an empty place. */
  #places = new Int32Array(ROOM * 2);

  /** The index of the group with a name; a new group has zero counters. */
  indexOf(name: TextSink): number {
    const last = this.#places.length - 1;
    let place = hashOf(name.bytes, 0, name.length) & last;
    for (;;) {
      const index = this.#places[place]! - 1; // the mask keeps it below the length
      if (index < 0) break;
      if (this.#isCalled(index, name)) return index;
      place = (place + 1) & last;
    }
    if (this.size === this.#ends.length) {
      this.#grow();
      return this.indexOf(name);
    }
    this.#names.copy(name.bytes, 0, name.length);
    this.#ends[this.size] = this.#names.length;
    this.#places[place] = ++this.size;
    return this.size - 1;
  }

  /** The name of a group; the table owns the bytes. */
  nameOf(index: number): Uint8Array {
    return this.#names.bytes.subarray(this.#startOf(index), this.#ends[index]);
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!; // below the index of a group
  }

  #isCalled(index: number, { bytes, length }: TextSink): boolean {
    const start = this.#startOf(index);
    if (this.#ends[index]! - start !== length) return false; // a group's index
    const names = this.#names.bytes;
    for (let i = 0; i < length; i++) if (names[start + i] !== bytes[i]) return false;
    return true;
  }

  #grow(): void {
    const room = this.#ends.length * 2;
    this.flows = grown(this.flows, new Float64Array(room));
    this.packets = grown(this.packets, new Float64Array(room));
    this.bytes = grown(this.bytes, new Float64Array(room));
    this.#ends = grown(this.#ends, new Int32Array(room));
    this.#places = new Int32Array(room * 2);
    const last = this.#places.length - 1;
    for (let index = 0; index < this.size; index++) {
      let place = hashOf(this.#names.bytes, this.#startOf(index), this.#ends[index]!) & last; // below the size
      while (this.#places[place] !== 0) place = (place + 1) & last;
      this.#places[place] = index + 1;
    }
  }
}

/** Initial room, in groups; a power of two. */
const ROOM = 1024;

function grown<T extends Float64Array | Int32Array>(old: T, room: T): T {
  room.set(old);
  return room;
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x9e3779b1); // within the name
  return hash ^ (hash >>> 15);
}
