import { FlowLineEncoder } from "../../src/flow/line.ts";
import { decodeFlow, newFlowParts } from "../../src/flow/parts.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { matchOf, newFlow } from "../../src/testing/flow-match.ts";
import { UML_FEATURES } from "../../src/testing/family.ts";
import type { Random } from "../../src/testing/random.ts";
import * as Truth from "../load/truth.ts";

// Random lines of flows, and what each of them means to the kernel.

/** What a line matches and does, in the kernel's words. */
export type Meaning = {
  readonly match: string;
  readonly actions: string;
};

/** A line of a load. */
export type Line = Truth.Line & { readonly text: string; readonly meaning: Meaning };

const MEMORY = new PinnedMemory(64 << 10);
const MEANINGS = new Map<string, Meaning>();

/** What a flow, without a verb and a UFID, means. */
export function meaningOf(flow: string): Meaning {
  const known = MEANINGS.get(flow);
  if (known !== undefined) return known;
  const writer = new AttributeWriter(MEMORY);
  const bytes = new TextEncoder().encode(flow);
  new FlowLineEncoder({ ufid: true }).encode(bytes, 0, bytes.length, 1, writer);
  const { u8, view } = writer.memory;
  const parts = newFlowParts();
  decodeFlow({ bytes: u8, view, start: 0, end: writer.position }, parts);
  const part = ({ start, end }: { start: number; end: number }): Uint8Array => u8.slice(start, end);
  const made = newFlow(part(parts.key), part(parts.mask), undefined, UML_FEATURES);
  if (made === undefined) throw new Error(`no kernel takes ${flow}`);
  const meaning = {
    match: matchOf(made),
    actions: part(parts.actions).toHex(),
  };
  if (MEANINGS.size > 20_000) MEANINGS.clear();
  MEANINGS.set(flow, meaning);
  return meaning;
}

/** Flows that nest and collide, as many as it takes to meet one another. */
export function randomMatches(random: Random): Truth.Match[] {
  const own = new Truth.Random(random.next());
  return Array.from({ length: 3 + random.below(20) }, () => Truth.randomMatch(own));
}

/** Lines about some of the matches. */
export function randomLines(random: Random, matches: readonly Truth.Match[], most: number): Line[] {
  const own = new Truth.Random(random.next());
  return Array.from({ length: 1 + random.below(most) }, () => {
    const line = Truth.randomLine(own, matches);
    // Some give a flow the name that it would have without.
    return lineOf(random.chance(5) ? { ...line, given: Truth.hashOf(line.match) } : line);
  });
}

/** Lines of which half name the flow that they mean, or make, by the hash of any of the matches. */
export function renamingLines(
  random: Random,
  matches: readonly Truth.Match[],
  most: number,
): Line[] {
  const own = new Truth.Random(random.next());
  // Behind puts of flows that are there, a load looks before it puts.
  const plain = random.of([0, 8]);
  return Array.from({ length: 1 + random.below(most) }, (_, i) => {
    const line = Truth.randomLine(own, matches);
    if (i < plain) return lineOf({ ...line, verb: "put", given: undefined });
    const verb = random.of<Truth.Verb>(["put", "put", "modify", "delete"]);
    const named = matches[random.below(matches.length * 2)];
    const given = named === undefined ? undefined : Truth.hashOf(named);
    return lineOf({ ...line, verb, given });
  });
}

function lineOf(line: Truth.Line): Line {
  const text = Truth.textOf(line);
  return { ...line, text, meaning: meaningOf(`${Truth.keyText(line.match)} ${line.actions}`) };
}
