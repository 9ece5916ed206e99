import { UFID_SIZE, ufidSeed } from "../key/ufid.ts";
import { type FlowStatistics, isOwned } from "../parts.ts";
import { DOT } from "../text/ascii.ts";
import type { Cursor } from "../text/cursor.ts";
import { parseUfid, takeUfidWord } from "../text/ufid.ts";
import { type Comparison, holds, parseComparison } from "./operator.ts";
import type { Test } from "./subject.ts";

// Tests of a flow's counters, its UFID and its owner.

/** Reads what follows `packets`: `> N`. */
export function parsePackets(cursor: Cursor): Test {
  return parseCounter(cursor, ({ packets }) => packets);
}

/** Reads what follows `bytes`: `> N`. */
export function parseBytes(cursor: Cursor): Test {
  return parseCounter(cursor, ({ byteCount }) => byteCount);
}

function parseCounter(cursor: Cursor, counter: (statistics: FlowStatistics) => number): Test {
  const comparison = expectComparison(cursor);
  const wanted = cursor.integer(Number.MAX_SAFE_INTEGER, "a whole number");
  return ({ parts }) => holds(counter(parts) - wanted, comparison);
}

/**
 * Reads what follows `used`: `> SECONDS`, the time since the last packet, as a dump prints it; or
 * `= never`. A flow without a packet passes no test of seconds.
 */
export function parseUsed(cursor: Cursor): Test {
  const operatorAt = cursor.position;
  const comparison = expectComparison(cursor);
  const start = cursor.position;
  if (cursor.word() === 0) {
    const wanted = parseMilliseconds(cursor);
    return ({ parts: { usedMs }, nowMs }) =>
      usedMs !== 0 && holds(Math.max(0, Math.round(nowMs - usedMs)) - wanted, comparison);
  }
  if (cursor.wordText() !== "never") cursor.fail(EXPECTED_USED, start);
  if (comparison === "=") return ({ parts }) => parts.usedMs === 0;
  if (comparison === "!=") return ({ parts }) => parts.usedMs !== 0;
  return cursor.fail("= or != before never", operatorAt);
}

const EXPECTED_USED = "seconds, such as 0.5, or never";

/** Reads seconds with up to three decimals, and an optional `s` as in a dump. */
function parseMilliseconds(cursor: Cursor): number {
  const seconds = cursor.integer(2 ** 40, EXPECTED_USED);
  let milliseconds = seconds * 1000;
  if (cursor.take(DOT)) {
    const digits = cursor.position;
    for (let unit = 100; unit >= 1; unit /= 10) {
      const digit = cursor.peek() - 0x30;
      if (digit < 0 || digit > 9) break;
      milliseconds += digit * unit;
      cursor.position++;
    }
    if (cursor.position === digits) cursor.fail("decimals of a second");
  }
  cursor.take(SECONDS);
  return milliseconds;
}

const SECONDS = 0x73;

/**
 * Reads what follows `ufid`: nothing, which tests whether a flow has one; or `= UFID`, written as
 * after `ufid:`.
 */
export function parseUfidTest(cursor: Cursor): Test {
  const at = cursor.position;
  const comparison = parseComparison(cursor);
  if (comparison === undefined) return ({ parts }) => parts.ufid.start >= 0;
  if (comparison !== "=" && comparison !== "!=") cursor.fail("= or != and a UFID", at);
  takeUfidWord(cursor);
  const wanted = new Uint8Array(UFID_SIZE);
  const size = parseUfid(cursor, wanted);
  return ({ parts: { bytes, ufid } }) => {
    let same = ufid.start >= 0 && ufid.end - ufid.start === size;
    for (let i = 0; i < size && same; i++) same = bytes[ufid.start + i] === wanted[i];
    return same === (comparison === "=");
  };
}

/**
 * Reads what follows `owner`: `= NAME`, true for flows that this owner put; `""` means no owner.
 */
export function parseOwner(cursor: Cursor): Test {
  const at = cursor.position;
  const comparison = parseComparison(cursor);
  if (comparison !== "=" && comparison !== "!=") cursor.fail("= or != and an owner's name", at);
  const start = cursor.position;
  const name = cursor.slice(start, cursor.tokenEnd());
  if (name === "") cursor.fail('an owner\'s name, or "" for nobody');
  cursor.position = cursor.tokenEnd();
  const seed = ufidSeed(name === NO_OWNER_WORD ? "" : name);
  return ({ parts }) => isOwned(parts, seed) === (comparison === "=");
}

const NO_OWNER_WORD = '""';

function expectComparison(cursor: Cursor): Comparison {
  const found = parseComparison(cursor);
  return found ?? cursor.fail("one of =, !=, <, <=, > and >=");
}
