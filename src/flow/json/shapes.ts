import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import type { FlowLineEncoder, LineFacts } from "../line.ts";
import { ShapeCache } from "../shape/cache.ts";
import type { FoundHole } from "../shape/found-hole.ts";
import { HOLE_SKIP_JSON, type SkippedJson, skippedHole } from "../shape/hole.ts";
import { type JsonLeaf, leavesOf } from "./leaves.ts";
import type { LineText } from "./line-text.ts";

// Lines of JSON of one form share work, as lines of text do.

const ENCODER = new TextEncoder();

/**
 * Members that leave no trace in a flow's request, and the kind of value that another line of the
 * form may have.
 */
const STATISTICS: readonly (readonly [path: string, kind: SkippedJson])[] = [
  [".packets", "whole"],
  [".bytes", "whole"],
  [".used", "number"],
  [".flags", "string"],
];

/**
 * The shapes of recent JSON lines. JSON of one form becomes text of one form, so a shape of the
 * text is also a shape of the JSON, with its holes at the numbers and strings that became the
 * text's values.
 */
export class FlowJsonShapes {
  readonly #shapes = new ShapeCache<LineFacts>();

  /** As `ShapeCache.encode`. */
  encode(
    bytes: Uint8Array,
    start: number,
    end: number,
    writer: AttributeWriter,
  ): LineFacts | undefined {
    return this.#shapes.encode(bytes, start, end, writer);
  }

  /** Makes a shape from a line that matched none, if it may pay. */
  learn(line: Uint8Array, made: LineText, encoder: FlowLineEncoder, writer: AttributeWriter): void {
    if (!this.#shapes.wants()) return;
    const leaves = leavesOf(line);
    const text = ENCODER.encode(made.text);
    // The text must be ASCII: offsets are used as those of bytes and of characters.
    if (leaves === undefined || text.length !== made.text.length) return;
    const { verb, hasActions, ownUfid, completed } = encoder;
    const place = (found: readonly FoundHole[]): readonly FoundHole[] | undefined =>
      placeHoles(found, made, line, leaves);
    const shape = encoder.shapeFor(text, line, place, writer);
    if (shape !== undefined) this.#shapes.add(shape, { verb, hasActions, ownUfid, completed });
  }
}

/**
 * Moves holes from the text to the JSON that it was made from; undefined if one has no place there.
 */
function placeHoles(
  found: readonly FoundHole[],
  made: LineText,
  line: Uint8Array,
  leaves: ReadonlyMap<string, JsonLeaf>,
): readonly FoundHole[] | undefined {
  const placed: FoundHole[] = [];
  for (const inText of found) {
    const { textStart, textEnd } = inText.hole;
    const piece = made.pieceAt(textStart);
    const leaf = leaves.get(piece.path);
    if (leaf === undefined || !isTextOf(line, leaf, piece.text)) return undefined;
    const moved = leaf.start - piece.start;
    const hole = {
      ...inText.hole,
      textStart: textStart + moved,
      textEnd: textEnd + moved,
      decimal: !leaf.quoted,
    };
    if (hole.textEnd > leaf.end) return undefined;
    placed.push({ ...inText, hole });
  }
  for (const [path, kind] of STATISTICS) {
    const leaf = leaves.get(path);
    // "never" becomes no hole.
    if (leaf === undefined || leaf.quoted !== (kind === "string")) continue;
    const quote = leaf.quoted ? 1 : 0;
    const hole = skippedHole(HOLE_SKIP_JSON, leaf.start - quote, leaf.end + quote, kind);
    placed.push({ hole, field: undefined, recordAt: -1 });
  }
  return placed.toSorted((a, b) => a.hole.textStart - b.hole.textStart);
}

/** Whether a number or string of the line is exactly this text. */
function isTextOf(line: Uint8Array, { start, end }: JsonLeaf, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (line[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
