import { MillraceError } from "../sys/errors.ts";

/** The maximum bytes of an interface's name: IFNAMSIZ without the closing zero. */
const NAME_BYTES_MAX = 15;

/**
 * Checks arguments before they are written: an attribute has 16 or 32 bits, and a number that does
 * not fit would silently become another.
 */

/** @throws MillraceError `USAGE` unless `value` is a whole number from `min` to `max` */
export function checkNumber(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw usage(`${what}: found ${value}, expected a whole number from ${min} to ${max}`);
}

/** Whether a name is valid for a datapath or an interface (dev_valid_name in net/core/dev.c). */
export function isName(name: string): boolean {
  // The kernel looks at single bytes: to it, 0xa0 is a space, even inside a UTF-8 character.
  const bytes = Buffer.from(name).toString("latin1");
  const isShort = bytes.length >= 1 && bytes.length <= NAME_BYTES_MAX;
  return isShort && !/[/:\t-\r \0\xa0]|^\.\.?$/.test(bytes);
}

/** @throws MillraceError `USAGE` unless {@link isName} */
export function checkName(what: string, name: string): void {
  if (isName(name)) return;
  const expected = `a name of 1 to ${NAME_BYTES_MAX} bytes without blanks, / and :`;
  throw usage(`${what}: found "${name}", expected ${expected}`);
}

/** The error for a request that is invalid on any kernel. */
export function usage(message: string): MillraceError {
  return new MillraceError("USAGE", message);
}
