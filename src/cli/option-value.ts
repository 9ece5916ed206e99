import { UsageError } from "./exit.ts";

// Values of options: numbers in a range, and lists of known words.

/** Digits without a sign. */
const WHOLE = /^\d+$/;

/** Digits, and perhaps others behind a point. */
export const FRACTION: RegExp = /^\d+(\.\d+)?$/;

/** Whatever JavaScript reads as a number. */
export const ANY: RegExp = /^/;

/** Which numbers an option takes. */
type NumberRange = {
  readonly min: number;
  readonly max?: number;
  /** How it is written; a whole number if absent. */
  readonly form?: RegExp;
  /** The range in words, for errors. */
  readonly expected: string;
};

/** Reads a number in a range, for an option. @throws UsageError */
export function numberIn(
  option: string,
  { min, max = Number.POSITIVE_INFINITY, form = WHOLE, expected }: NumberRange,
): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (form.test(text) && value >= min && value <= max) return value;
    throw new UsageError(`${option}: found "${text}", expected ${expected}`);
  };
}

/** Reads a whole number from 1 to `max`, for an option. @throws UsageError */
export function numberUpTo(option: string, max: number): (text: string) => number {
  return numberIn(option, { min: 1, max, expected: `a number from 1 to ${max}` });
}

/** Reads a whole number of 1 or more, for an option. @throws UsageError */
export function positiveNumber(option: string): (text: string) => number {
  return numberIn(option, {
    min: 1,
    form: /^[1-9]\d{0,14}$/,
    expected: "a whole number above 0",
  });
}

/** Reads seconds above 0, fractions too, for an option. @throws UsageError */
export function seconds(option: string): (text: string) => number {
  return numberIn(option, {
    min: Number.MIN_VALUE,
    form: /^\d{1,9}(\.\d+)?$/,
    expected: "seconds above 0",
  });
}

/**
 * Reads words that are separated by commas, for an option.
 * @param none whether `none` stands for an empty list
 * @throws UsageError for other words
 */
export function wordList<T extends string>(
  option: string,
  words: readonly T[],
  none = false,
): (text: string) => T[] {
  const all = none ? [...words, "none"] : words;
  const expected = `${all.slice(0, -1).join(", ")} or ${all.at(-1)}`;
  return (text) => {
    if (none && text === "none") return [];
    return text.split(",").map((word) => {
      const found = words.find((known) => known === word);
      if (found !== undefined) return found;
      throw new UsageError(`${option}: found "${word}", expected ${expected}`);
    });
  };
}
