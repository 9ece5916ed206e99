import { Flow } from "../flow/flow.ts";
import { LEVELS, levelOfWord, lowestSlot, SLOT_UNKNOWN } from "../flow/key/levels.ts";
import { normalize } from "../flow/key/normal-form.ts";
import { KeyRecord, maskOffset, WORDS_OF_SLOT } from "../flow/key/record.ts";
import { KEY_BY_SLOT } from "../flow/key/table.ts";
import { type FlowParts, newFlowParts, readMatch } from "../flow/parts.ts";
import type { PortNames } from "../flow/ports.ts";
import type { FlowDifference } from "../state/diff.ts";
import type { FlowTable } from "../state/flow-table.ts";
import type { Plan } from "../state/plan.ts";
import { colours as pc } from "./colour.ts";
import { count, printLines, printTable } from "./output.ts";

// Prints differences between sets of flows: coloured lines that begin with + and -, or counts.

/** How the flows of a difference are printed. */
type DifferenceStyle = {
  readonly before: PortNames;
  readonly after: PortNames;
  readonly statistics: boolean;
};

/** The lines of a difference: one, or two for a changed flow, before and after. */
export function* differenceLines(
  difference: FlowDifference,
  style: DifferenceStyle,
): Generator<string, void> {
  if (difference.kind !== "added") {
    yield pc.red(`- ${textOf(difference.before, style.before, style.statistics)}`);
  }
  if (difference.kind !== "removed") {
    yield pc.green(`+ ${textOf(difference.after, style.after, style.statistics)}`);
  }
}

function textOf(flow: FlowParts, ports: PortNames, statistics: boolean): string {
  return Flow.fromParts(flow).toString({ statistics, ports });
}

/** Prints the effect of a plan as a difference. */
export function printPlan(plan: Plan, wanted: FlowTable, held: FlowTable, ports: PortNames): void {
  printLines(planLines(plan, wanted, held, ports));
}

function* planLines(
  { deletesFirst, adds, changes, deletes }: Plan,
  wanted: FlowTable,
  held: FlowTable,
  ports: PortNames,
): Generator<string, void> {
  const old = newFlowParts();
  const now = newFlowParts();
  const style = { before: ports, after: ports, statistics: false };
  const removed = (index: number): FlowDifference => ({
    kind: "removed",
    before: held.read(index, old),
  });
  for (const index of deletesFirst) yield* differenceLines(removed(index), style);
  for (const index of adds) {
    yield* differenceLines({ kind: "added", after: wanted.read(index, now) }, style);
  }
  for (const change of changes) {
    const before = held.read(change.held, old);
    const after = wanted.read(change.wanted, now);
    yield* differenceLines({ kind: "changed", before, after, what: ["actions"] }, style);
  }
  for (const index of deletes) yield* differenceLines(removed(index), style);
}

/** Counts differences by mask and actions of the flows. */
export class DifferenceCounts {
  readonly #record = new KeyRecord();
  readonly #groups = new Map<string, { added: number; removed: number; changed: number }>();

  add(difference: FlowDifference, { before, after }: DifferenceStyle): void {
    const isRemoved = difference.kind === "removed";
    const flow = isRemoved ? difference.before : difference.after;
    const group = `${this.#maskOf(flow)}\n${actionsOf(flow, isRemoved ? before : after)}`;
    let counts = this.#groups.get(group);
    if (counts === undefined) {
      counts = { added: 0, removed: 0, changed: 0 };
      this.#groups.set(group, counts);
    }
    counts[difference.kind]++;
  }

  print(): void {
    const rows = [...this.#groups].map(([group, { added, removed, changed }]) => {
      const [mask = "", actions = ""] = group.split("\n");
      return [mask, actions, count(added), count(removed), count(changed)];
    });
    printTable([["MASK", "ACTIONS", "ADDED", "REMOVED", "CHANGED"], ...rows]);
  }

  // The matched keys; for a partly matched key, also the number of matched bits.
  #maskOf(flow: FlowParts): string {
    const record = this.#record;
    if (!readMatch(flow, record)) return "?";
    normalize(record);
    const names: string[] = [];
    for (let word = 0; word < record.present.length; word++) {
      const level = levelOfWord(word);
      for (let left = record.present[word] ?? 0; left !== 0; left &= left - 1) {
        const slot = lowestSlot(word, left);
        if (slot !== SLOT_UNKNOWN) names.push(maskName(record, level, slot));
      }
    }
    return names.filter((name) => name !== "").join(",");
  }
}

function maskName(record: KeyRecord, level: number, slot: number): string {
  const key = KEY_BY_SLOT[slot];
  const from = maskOffset(level, slot);
  const bits = bitsIn(record.bytes.subarray(from, from + (WORDS_OF_SLOT[slot] ?? 0) * 4));
  if (key === undefined || bits === 0) return "";
  const name = level === 0 ? key.name : `${"encap.".repeat(Math.min(level, LEVELS))}${key.name}`;
  return bits === key.size * 8 ? name : `${name}/${bits}`;
}

function bitsIn(bytes: Uint8Array): number {
  let bits = 0;
  for (const byte of bytes) for (let left = byte; left !== 0; left &= left - 1) bits++;
  return bits;
}

const ACTIONS = "actions:";

/** The actions of a flow as text. */
export function actionsOf(flow: FlowParts, ports: PortNames): string {
  const text = Flow.fromParts(flow).toString({ ports });
  return text.slice(text.indexOf(ACTIONS) + ACTIONS.length);
}
