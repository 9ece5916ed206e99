import { U16_MAX, U32_MAX } from "../bytes.ts";
import type { Member } from "../action/member.ts";
import type { Field } from "../text/field.ts";

/** The values of a scalar, for the schema: whole numbers up to `max`, and strings of a pattern. */
export type Values = {
  /** Undefined if no number is valid. */
  readonly max: number | undefined;
  /** Undefined if no string is valid. */
  readonly pattern: string | undefined;
};

/** The verbs that a flow may have before it. */
export const VERBS: RegExp = /^(add|modify|delete)$/;

/** An action without a name. */
export const RAW_ACTION: RegExp = /^action[0-9]+$/;

/** The string of a port: its name or a number. */
// oxlint-disable-next-line no-control-regex -- these end a name
export const PORT: RegExp = /^[^\u0000-\u0020\u007f-\u009f,()#]+$/;

/** Any other string: no byte that would end it in text. */
export const PLAIN: RegExp = /^[^\s,(){}=#]+$/;

const UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";

/** A UFID: a UUID, or fewer bytes. */
export const UFID: RegExp = new RegExp(`^(?:${UUID}|0x(?:[0-9a-fA-F]{2}){1,15})$`);
const NUMBER = "(?:0[xX][0-9a-fA-F]+|[0-9]+)";
const MAC = "[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}";
const IPV4 = "[0-9]{1,3}(?:\\.[0-9]{1,3}){3}";
const IPV6 = "[0-9a-fA-F:]+(?:[0-9.]+)?";
const MAX = Number.MAX_SAFE_INTEGER;

/** Any scalar. */
export const ANY: Values = { max: MAX, pattern: PLAIN.source };

/** A port by number or name. */
export const PORTS: Values = { max: U32_MAX, pattern: PORT.source };

/** A number of 32 bits. */
export const U32: Values = { max: U32_MAX, pattern: `^${NUMBER}$` };

/** Strings of a pattern; those that look like decimal numbers may be numbers. */
export function strings(pattern: RegExp): Values {
  return { max: MAX, pattern: pattern.source };
}

/** A field's value and, in a key, an optional mask after it. */
export function fieldValues(field: Field, mask: boolean): Values {
  const masked = (value: string, bits = value): string =>
    mask ? `^${value}(?:/${bits})?$` : `^${value}$`;
  switch (field.kind) {
    case "number":
    case "choice":
      return { max: field.limit, pattern: masked(NUMBER) };
    case "number64":
    case "number128":
      return { max: MAX, pattern: masked(NUMBER) };
    case "hex64":
      return { max: MAX, pattern: masked("(?:0[xX])?[0-9a-fA-F]+") };
    case "mac":
      return { max: undefined, pattern: masked(MAC) };
    case "ipv4":
      return { max: undefined, pattern: masked(IPV4, `(?:${IPV4}|[0-9]{1,2})`) };
    case "ipv6":
      return { max: undefined, pattern: masked(IPV6, `(?:${IPV6}|[0-9]{1,3})`) };
    case "frag":
      return { max: field.limit, pattern: masked(`(?:no|first|later|${NUMBER})`, NUMBER) };
    case "flags":
      return { max: 2 ** field.words.length - 1, pattern: flagsPattern(field.words) };
    case "uuid":
      return { max: undefined, pattern: masked(UUID) };
    case "port":
      return PORTS;
    default:
      return { max: undefined, pattern: masked("[0-9a-fA-F ]+") };
  }
}

/** The value of a nested action's member. */
export function memberValues(member: Member): Values {
  switch (member.kind) {
    case "u16":
      return { max: U16_MAX, pattern: `^${NUMBER}$` };
    case "u32":
      return U32;
    case "hex":
      return { max: undefined, pattern: "^0[xX](?:[0-9a-fA-F]{2})+$" };
    case "port":
      return PORTS;
    default:
      return ANY;
  }
}

/** `a|b`, `+a-b` or `value/mask`; a bit without a name is `[hex]`. */
function flagsPattern(words: Field["words"]): string {
  const word = `(?:${[...words.filter((name) => name !== undefined), "\\[[0-9a-fA-F]+\\]"].join("|")})`;
  const entry = `(?:${word}|${NUMBER})`;
  return `^(?:${entry}(?:\\|${entry})*(?:/${NUMBER})?|(?:[+-]${word})+)$`;
}

/** Whether a value is a nonnegative whole number. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
