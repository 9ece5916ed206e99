import { KEYS, type KeySpec } from "../key/table.ts";
import type { Field } from "../text/field.ts";
import { nearestWord } from "../text/words.ts";
import { TUNNEL_PARTS, type TunnelPart } from "./tunnel-parts.ts";

/** The meaning of a name: a key, and possibly a field of it. */
type Named = {
  readonly key: KeySpec;
  /** Undefined for a key by itself: a header that a flow has or lacks. */
  readonly field: Field | undefined;
  readonly part: TunnelPart | undefined;
};

/** A field, and the level at which it is looked for. */
export type FlowField = Named & {
  /** The name as written. */
  readonly name: string;
  /** The number of tags before it; {@link ANY_LEVEL} for the first level where the flow has it. */
  readonly level: number;
};

export const ANY_LEVEL = -1;

/** The prefix of a field's name after a tag; repeated after two tags. */
const PREFIX = "encap.";

/** The most tags that a key has. */
const TAGS_MAX = 2;

let names: ReadonlyMap<string, Named> | undefined;

/**
 * The names of fields: `KEY.FIELD`, or `KEY` for a key that is a single value; for other keys,
 * `KEY` stands for the header. Made on first use.
 */
function namesOfFields(): ReadonlyMap<string, Named> {
  if (names !== undefined) return names;
  const found = new Map<string, Named>();
  // No kernel has flows with the other keys.
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

/** The field of a name, or undefined if there is none. */
export function fieldCalled(name: string): FlowField | undefined {
  let rest = name;
  let level = ANY_LEVEL;
  while (rest.startsWith(PREFIX) && level < TAGS_MAX) {
    rest = rest.slice(PREFIX.length);
    level = Math.max(level, 0) + 1;
  }
  const named = namesOfFields().get(rest);
  // A tunnel belongs to the packet, not to what follows a tag.
  if (named === undefined || (named.key.form === "tunnel" && level > 0)) return undefined;
  return { ...named, name, level };
}

/** Every name of a field, without prefixes. */
export function fieldNames(): readonly string[] {
  return [...namesOfFields().keys()];
}

/** The names of a key's fields that have values; all names if it has none. */
export function fieldsOf(key: string): readonly string[] {
  return fieldNames().filter((name) => name.startsWith(`${key}.`));
}

/** The name nearest to a misspelt one. @param moreNames other words that are valid there */
export function nearestField(text: string, moreNames: readonly string[] = []): string | undefined {
  return nearestWord([...fieldNames(), ...moreNames], text);
}
