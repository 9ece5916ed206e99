import { MillraceError } from "../sys/errors.ts";

/** Bytes of an interface's name: IFNAMSIZ without its end. */
const NAME_BYTES_MAX = 15;

/*
 * What the caller gives is looked at before it is written: an attribute has 16 or 32 bits, and what
 * does not fit them would become another number without a word.
 */

/** @throws MillraceError `USAGE` unless `value` is a whole number from `min` to `max` */
export function checkNumber(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw usage(`${what}: found ${value}, expected a whole number from ${min} to ${max}`);
}

/** Whether a datapath or an interface can be called so (dev_valid_name in net/core/dev.c). */
export function isName(name: string): boolean {
  // The kernel looks at bytes: 0xa0 is a space to it, also inside a letter.
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

/** What is asked for makes no sense, whatever the kernel. */
export function usage(message: string): MillraceError {
  return new MillraceError("USAGE", message);
}
