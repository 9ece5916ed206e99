import { expect } from "bun:test";
import type { Datapath } from "../../src/datapath.ts";
import { lineToFlowJson } from "../../src/flow/json.ts";
import type { LoadResult } from "../../src/load/result.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { bytesOf, compiled, filled } from "../load/sources.ts";
import { type Line, textOf } from "../load/truth.ts";

/** The ways in which lines come into a datapath. */
export const WAYS = ["lines", "text", "json", "set", "template", "batch", "one"] as const;
export type Way = (typeof WAYS)[number];

/**
 * Carries out lines in one of the ways there are.
 * @param ufid lines have the UFIDs that they were given, or their hashes; a batch and single calls always do
 * @returns whether each was applied
 */
export async function carryOut(
  dp: Datapath,
  lines: readonly Line[],
  way: Way,
  ufid: boolean,
): Promise<boolean[]> {
  if (way === "one") return lines.map((line) => applyOne(dp, line));
  if (way === "batch") {
    using batch = dp.batch();
    for (const line of lines) batch.add(textOf(line));
    const failed = new Set(batch.flush().exceptions.map(({ line }) => line));
    return lines.map((_, i) => !failed.has(i + 1));
  }
  const result = await loadBy(dp, lines, way, ufid);
  expect(result.length).toBe(lines.length);
  return lines.map((_, i) => result.stateOf(i) === "applied");
}

function loadBy(
  dp: Datapath,
  lines: readonly Line[],
  way: Exclude<Way, "one" | "batch">,
  ufid: boolean,
): Promise<LoadResult> {
  if (way === "lines") return dp.load(lines.map(textOf), { ufid });
  if (way === "template") return dp.load(filled(lines), { ufid, mode: lines[0]?.verb ?? "put" });
  const text = lines.map(textOf);
  if (way === "text") return dp.load(bytesOf(text), { ufid });
  if (way === "set") return dp.load(compiled(bytesOf(text), { judges: false }), { ufid });
  return dp.load(bytesOf(text.map((line) => JSON.stringify(lineToFlowJson(line)))), { ufid });
}

/** Whether a template can have lines like this one beside another one. */
export function goTogether(one: Line, other: Line): boolean {
  return (
    one.verb === other.verb &&
    one.match.srcBits === other.match.srcBits &&
    one.match.dstBits === other.match.dstBits
  );
}

function applyOne(dp: Datapath, line: Line): boolean {
  const text = textOf({ ...line, verb: "put" });
  try {
    if (line.verb === "delete") return dp.remove(text);
    dp[line.verb](text);
    return true;
  } catch (error) {
    if (error instanceof MillraceError) return false;
    throw error;
  }
}
