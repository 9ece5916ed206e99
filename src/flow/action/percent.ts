import type { Cursor } from "../text/cursor.ts";
import type { TextSink } from "../text/sink.ts";
import { DOT } from "../text/ascii.ts";

/** A probability of 1 (`OVS_SAMPLE_ATTR_PROBABILITY`). */
const CERTAIN = 0xffff_ffff;

/**
 * The decimals needed to distinguish all 2^32 probabilities: half of 100 / 2^32 is more than
 * 0.5e-8.
 */
const DECIMALS_MAX = 8;

/** The most digits that a number holds exactly. */
const DIGITS_MAX = 15;

/**
 * Reads a percentage as OVS does: floor(UINT32_MAX * (P / 100) + 0.5). It does not skip the `%`.
 */
export function parsePercent(cursor: Cursor): number {
  const start = cursor.position;
  let digits = 0;
  let decimals = 0;
  let mantissa = 0;
  let point = false;
  let any = false;
  for (;;) {
    const next = cursor.peek();
    if (next === DOT && !point) {
      point = true;
    } else if (next >= 0x30 && next <= 0x39) {
      any = true;
      // Digits past the fifteenth cannot change any of the 2^32 values.
      if (mantissa !== 0 || next !== 0x30) digits++;
      if (digits <= DIGITS_MAX) mantissa = mantissa * 10 + next - 0x30;
      if (point && digits <= DIGITS_MAX) decimals++;
      if (!point && digits > 3) cursor.fail("a percentage from 0 to 100", start);
    } else {
      break;
    }
    cursor.position++;
  }
  const percentage = mantissa / 10 ** decimals;
  if (!any || percentage > 100) cursor.fail("a percentage from 0 to 100", start);
  return probabilityOf(percentage);
}

/**
 * Prints a percentage with one decimal, as OVS does, or with as many as needed to read back
 * exactly.
 */
export function printPercent(out: TextSink, probability: number): void {
  out.text(percentText(probability));
}

/** The percentage as a decimal number that {@link probabilityOf} turns back into `probability`. */
export function percentText(probability: number): string {
  const percentage = (100 * probability) / CERTAIN;
  for (let decimals = 1; decimals < DECIMALS_MAX; decimals++) {
    const text = percentage.toFixed(decimals);
    if (probabilityOf(Number(text)) === probability) return text;
  }
  return percentage.toFixed(DECIMALS_MAX);
}

function probabilityOf(percentage: number): number {
  return Math.min(CERTAIN, Math.max(0, Math.floor(CERTAIN * (percentage / 100) + 0.5)));
}
