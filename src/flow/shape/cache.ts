import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import type { Shape } from "./shape.ts";

/**
 * The number of shapes kept at first, and the maximum: the number grows if dropped shapes were
 * useful.
 */
const SHAPES_FIRST = 8;
const SHAPES_MAX = 64;

/** The most lines that are encoded the slow way before another shape is made. */
const PAUSE_MAX = 4096;

type Entry<Facts> = {
  readonly shape: Shape;
  readonly facts: Facts;
  /** Whether it has encoded a line since it was made. */
  isOfUse: boolean;
  /** The line for which it was last used, or from which it was made. */
  usedAt: number;
  /** The entry that encoded the line after this one's last: forms often alternate. */
  next: Entry<Facts> | undefined;
};

/**
 * The shapes of recent lines. If lines have nothing in common, making shapes does not pay: the
 * pause before the next one grows whenever a shape is dropped that encoded nothing.
 */
export class ShapeCache<Facts> {
  readonly #entries: Entry<Facts>[] = [];
  #most = SHAPES_FIRST;
  #last: Entry<Facts> | undefined;
  #lines = 0;
  #pause = 0;
  #missed = 0;

  /**
   * Encodes a line by a shape that it matches, at the writer's position.
   * @returns the facts stored with the shape, or undefined, with nothing written, if none matches
   */
  encode(
    bytes: Uint8Array,
    start: number,
    end: number,
    writer: AttributeWriter,
  ): Facts | undefined {
    const likely = this.#last?.next;
    if (likely?.shape.encode(bytes, start, end, writer) === true) return this.#use(likely);
    const entries = this.#entries;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (entry === likely || !entry.shape.encode(bytes, start, end, writer)) continue;
      // A shape found by searching moves to the front.
      if (i > 0) {
        entries.copyWithin(1, 0, i);
        entries[0] = entry;
      }
      return this.#use(entry);
    }
    return undefined;
  }

  /** Whether to make a shape from a line that matched none. */
  wants(): boolean {
    return this.#missed++ >= this.#pause;
  }

  add(shape: Shape, facts: Facts): void {
    this.#missed = 0;
    const entries = this.#entries;
    if (entries.length === this.#most) this.#makeRoom();
    const entry = { shape, facts, isOfUse: false, usedAt: 0, next: undefined };
    entries.unshift(entry);
    this.#follow(entry);
  }

  // Drops the least recently used shape; if it was useful, the cache grows instead.
  #makeRoom(): void {
    const entries = this.#entries;
    const oldest = entries.reduce((a, b) => (b.usedAt < a.usedAt ? b : a));
    if (oldest.isOfUse && this.#most < SHAPES_MAX) {
      this.#most++;
      return;
    }
    entries.splice(entries.indexOf(oldest), 1);
    for (const entry of entries) if (entry.next === oldest) entry.next = undefined;
    this.#pause = oldest.isOfUse ? 0 : Math.min(PAUSE_MAX, this.#pause * 2 + 1);
  }

  #use(entry: Entry<Facts>): Facts {
    entry.isOfUse = true;
    this.#follow(entry);
    return entry.facts;
  }

  #follow(entry: Entry<Facts>): void {
    entry.usedAt = ++this.#lines;
    if (this.#last !== undefined) this.#last.next = entry;
    this.#last = entry;
  }
}
