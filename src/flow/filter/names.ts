import { KEYS, type KeySpec } from "../key/table.ts";
import type { Field } from "../text/field.ts";
import { nearestWord } from "../text/words.ts";
import { TUNNEL_PARTS, type TunnelPart } from "./tunnel-parts.ts";

/** What a name stands for in the keys of flows. */
type Named = {
  readonly key: KeySpec;
  /** Undefined for a key by itself: a header, that a flow has or has not. */
  readonly field: Field | undefined;
  readonly part: TunnelPart | undefined;
};

/** A field, and where it is looked for. */
export type FlowField = Named & {
  /** As it was written. */
  readonly name: string;
  /** How many tags it is behind; {@link ANY_LEVEL} for the first place where the flow has it. */
  readonly level: number;
};

export const ANY_LEVEL = -1;

/** What stands before the name of a field behind a tag; twice behind two. */
const PREFIX = "encap.";

/** Tags that a key has at most. */
const TAGS_MAX = 2;

let names: ReadonlyMap<string, Named> | undefined;

/**
 * The names of fields: `KEY.FIELD`, or `KEY` where that is one value; `KEY` of the others stands for the
 * header. Made when first asked for.
 */
function namesOfFields(): ReadonlyMap<string, Named> {
  if (names !== undefined) return names;
  const found = new Map<string, Named>();
  // No kernel has a flow with the others.
  for (const key of KEYS.filter(({ where }) => where === "kernel")) {
    const single = key.form === "single" ? key.fields[0] : undefined;
    found.set(key.name, { key, field: single, part: undefined });
    if (single === undefined) {
      for (const field of key.fields) {
        for (const word of [field.name, ...field.aliases]) {
          found.set(`${key.name}.${word}`, { key, field, part: undefined });
        }
      }
    }
    if (key.form !== "tunnel") continue;
    for (const part of TUNNEL_PARTS) {
      found.set(`${key.name}.${part.name}`, { key, field: part.field, part });
    }
  }
  names = found;
  return found;
}

/** The field of a name, or undefined where there is none. */
export function fieldCalled(name: string): FlowField | undefined {
  let rest = name;
  let level = ANY_LEVEL;
  while (rest.startsWith(PREFIX) && level < TAGS_MAX) {
    rest = rest.slice(PREFIX.length);
    level = Math.max(level, 0) + 1;
  }
  const named = namesOfFields().get(rest);
  // A tunnel is of the packet, not of what is behind a tag.
  if (named === undefined || (named.key.form === "tunnel" && level > 0)) return undefined;
  return { ...named, name, level };
}

/** Every name of a field, without prefixes. */
export function fieldNames(): readonly string[] {
  return [...namesOfFields().keys()];
}

/** The names of a key's fields that have values; all names where it has none. */
export function fieldsOf(key: string): readonly string[] {
  return fieldNames().filter((name) => name.startsWith(`${key}.`));
}

/** The name nearest to a misspelt one. @param moreNames words that may stand there, too */
export function nearestField(text: string, moreNames: readonly string[] = []): string | undefined {
  return nearestWord([...fieldNames(), ...moreNames], text);
}
