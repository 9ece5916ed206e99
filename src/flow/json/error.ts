import type { MillraceErrorCode } from "../../sys/error-codes.ts";
import { placesOf } from "./leaves.ts";
import { FlowSyntaxError, oneLine, syntaxFactsAt } from "../text/syntax-error.ts";

/** Characters of the JSON shown before and after the place of an error. */
const SHOWN_BEFORE = 60;
const SHOWN_AFTER = 40;

/** The facts from which a {@link FlowJsonError} is made. */
type FlowJsonErrorFacts = {
  /** The flow, not trusted. */
  readonly json?: unknown;
  /** The line that the flow came from, if any. */
  readonly raw?: Uint8Array | undefined;
  /** The place in it, such as `.key.ipv4.ttl`; `.` is the whole flow. */
  readonly path: string;
  /** 1-based line of the input, or number of the flow. */
  readonly line: number;
  readonly found: string;
  readonly expected: string;
  readonly suggestion?: string | undefined;
};

/** JSON is not a flow. Says where, what was found there and what was expected. */
export class FlowJsonError extends FlowSyntaxError {
  override readonly name: string = "FlowJsonError";
  override readonly code: MillraceErrorCode = "FLOW_JSON";
  /** The place, such as `.key.ipv4.ttl` or `.actions[0].push_vlan.vid`. */
  readonly path: string;

  constructor(facts: FlowJsonErrorFacts) {
    const { json, raw, path, line, found, suggestion } = facts;
    const expected = `${facts.expected} at ${path}`;
    const shown = raw === undefined ? shownOf(json, path) : shownIn(raw, path, found);
    super({ line, found, expected, suggestion, ...shown });
    this.path = path;
  }
}

/** The text shown around a place, and its column. */
type Shown = { readonly column: number; readonly before: string; readonly after: string };

/** Shows a value in the line that it came from, or its parent if there is no such value. */
function shownIn(raw: Uint8Array, path: string, found: string): Shown {
  const places = placesOf(raw);
  let known = path === "." ? "" : path;
  while (known !== "" && !places.has(known)) {
    known = known.slice(0, Math.max(0, known.lastIndexOf("."), known.lastIndexOf("[")));
  }
  const value = places.get(known) ?? 0;
  // A wrong name is before its value.
  const isName = found === JSON.stringify(path.replace(/^.*\./, ""));
  const name = isName ? Buffer.from(raw).lastIndexOf(found, value) : -1;
  const { column, before, after } = syntaxFactsAt(oneLine(raw), name < 0 ? value : name, "");
  return { column, before, after };
}

/** Shows a value in JSON that did not come from a line: the JSON is written as a line. */
function shownOf(json: unknown, path: string): Shown {
  const text = jsonText(json);
  const at = Math.min(text.length, offsetOf(json, path));
  const from = Math.max(0, at - SHOWN_BEFORE);
  return {
    column: 1,
    before: (from > 0 ? "…" : "") + text.slice(from, at),
    after: text.slice(at, at + SHOWN_AFTER) + (at + SHOWN_AFTER < text.length ? "…" : ""),
  };
}

/** JSON as text; empty for a value that is not JSON, or is nested too deep to be written. */
export function jsonText(json: unknown): string {
  try {
    return JSON.stringify(json) ?? "";
  } catch {
    return "";
  }
}

/**
 * The offset in the text of JSON of the value at a path, or of its parent if there is no such
 * value.
 */
function offsetOf(json: unknown, path: string): number {
  let offset = 0;
  let value = json;
  for (const [, name, index] of path.matchAll(/\.([^.[]+)|\[(\d+)\]/g)) {
    if (typeof value !== "object" || value === null) return offset;
    const wanted = name ?? index ?? "";
    if (!Object.hasOwn(value, wanted)) return offset;
    offset++;
    for (const [key, inner] of Object.entries(value)) {
      const label = Array.isArray(value) ? 0 : jsonText(key).length + 1;
      if (key === wanted) {
        offset += label;
        value = inner;
        break;
      }
      // Values that JSON cannot express are left out of an object.
      const size = jsonText(inner).length;
      if (size > 0) offset += label + size + 1;
    }
  }
  return offset;
}
