import { UsageError } from "./exit.ts";

/** Reads a whole number of 1 or more, for an option. @throws UsageError */
export function positiveNumber(option: string): (text: string) => number {
  return (text) => {
    if (!/^[1-9]\d{0,14}$/.test(text)) {
      throw new UsageError(`${option}: found "${text}", expected a whole number above 0`);
    }
    return Number(text);
  };
}

/** Reads seconds above 0, fractions too, for an option. @throws UsageError */
export function seconds(option: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,9}(\.\d+)?$/.test(text) || Number(text) === 0) {
      throw new UsageError(`${option}: found "${text}", expected seconds above 0`);
    }
    return Number(text);
  };
}
