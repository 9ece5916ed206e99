import type { Field } from "../text/field.ts";

/** A hole in a template's text: its name and its range in bytes. */
export type NamedHole = { readonly name: string; readonly start: number; readonly end: number };

// Geneve options also have braces, but never around a single word.
const HOLE = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** The holes in a template, in their order. */
export function findNames(bytes: Uint8Array): NamedHole[] {
  // One character per byte.
  const text = Buffer.from(bytes).toString("latin1");
  return Array.from(text.matchAll(HOLE), (match) => ({
    name: match[1] ?? "",
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** A valid value for a field that is not zero: zero may give the message another form. */
export function placeholderOf(field: Field | undefined): string {
  if (field?.kind === "ipv4") return "10.0.0.1";
  if (field?.kind === "ipv6") return "::1";
  return field?.kind === "mac" ? "0:0:0:0:0:1" : "1";
}

/** A template's text with values in its holes, and the mapping back to the template. */
export type FilledText = {
  readonly bytes: Uint8Array;
  /** Where the value of each hole begins. */
  readonly starts: readonly number[];
  /** Maps an offset in these bytes to the template. */
  originOf(at: number): number;
};

/** Puts a value into each hole. */
export function fillText(
  template: Uint8Array,
  holes: readonly NamedHole[],
  values: readonly string[],
): FilledText {
  const out: number[] = [];
  const starts: number[] = [];
  const origins: number[] = [];
  let from = 0;
  for (const [index, hole] of holes.entries()) {
    for (; from < hole.start; from++) {
      out.push(template[from] ?? 0);
      origins.push(from);
    }
    starts.push(out.length);
    for (const byte of new TextEncoder().encode(values[index])) {
      out.push(byte);
      origins.push(hole.start);
    }
    from = hole.end;
  }
  for (; from < template.length; from++) {
    out.push(template[from] ?? 0);
    origins.push(from);
  }
  const originOf = (at: number): number => origins[at] ?? template.length;
  return { bytes: Uint8Array.from(out), starts, originOf };
}
