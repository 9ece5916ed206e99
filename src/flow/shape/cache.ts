import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import type { Shape } from "./shape.ts";

/** Shapes that are kept; the one used last is tried first. */
const SHAPES_MAX = 6;

/** The most lines that go the slow way before another shape is made. */
const PAUSE_MAX = 4096;

/**
 * The shapes of the lines that came last. Where lines have nothing in common, making shapes does not
 * pay: the pause between two grows each time one goes that encoded nothing.
 */
export class ShapeCache<Of> {
  readonly #shapes: { readonly shape: Shape; readonly of: Of }[] = [];
  #pause = 0;
  #missed = 0;

  /**
   * Encodes a line by a shape that it matches, at the writer's position.
   * @returns what was stored with the shape, or undefined where none matches: nothing was written
   */
  encode(bytes: Uint8Array, start: number, end: number, writer: AttributeWriter): Of | undefined {
    const shapes = this.#shapes;
    for (let i = 0; i < shapes.length; i++) {
      const entry = shapes[i]!;
      if (!entry.shape.encode(bytes, start, end, writer)) continue;
      entry.shape.hits++;
      if (i > 0) {
        shapes.copyWithin(1, 0, i);
        shapes[0] = entry;
      }
      return entry.of;
    }
    return undefined;
  }

  /** Whether a shape is to be made of a line that matched none. */
  wants(): boolean {
    return this.#missed++ >= this.#pause;
  }

  add(shape: Shape, of: Of): void {
    this.#missed = 0;
    if (this.#shapes.length === SHAPES_MAX) {
      const gone = this.#shapes.pop();
      const used = gone !== undefined && gone.shape.hits > 0;
      this.#pause = used ? 0 : Math.min(PAUSE_MAX, this.#pause * 2 + 1);
    }
    this.#shapes.unshift({ shape, of });
  }
}
