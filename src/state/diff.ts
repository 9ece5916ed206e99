import { sameDeeds } from "../load/settle/same-flow.ts";
import { type FlowParts, hasGivenUfid, haveSameUfid, newFlowParts } from "../flow/parts.ts";
import { FlowTable } from "./flow-table.ts";

/** What may differ between two flows that match the same packets. */
export type FlowAspect = "actions" | "ufid" | "stats";

/** A difference between two sets of flows: a flow of one of them, or how one of both differs. */
export type DifferenceOf<T> =
  | { readonly kind: "added"; readonly after: T }
  | { readonly kind: "removed"; readonly before: T }
  | {
      readonly kind: "changed";
      readonly before: T;
      readonly after: T;
      readonly what: readonly FlowAspect[];
    };

/** A difference in bytes. The parts are the same objects each time. */
export type FlowDifference = DifferenceOf<FlowParts>;

/** What is compared besides matches and actions. */
export type DiffOptions = {
  /** Compares given UFIDs, and UFIDs of different owners; true by default. */
  readonly ufid?: boolean;
  /** Compares packets and bytes; both tables must have them. */
  readonly stats?: boolean;
};

/** What became of a flow that was read: one that matches the same packets may have come before. */
export type TakenFlow = "new" | "repeated" | "unreadable";

/**
 * Compares flows with a set as they are read, and keeps only those that differ, so that two large
 * sets need the memory of one.
 */
export class Comparison {
  readonly #before: FlowTable;
  readonly #options: DiffOptions;
  readonly #isInBoth: Uint8Array;
  readonly #differing: FlowTable;
  readonly #old = newFlowParts();

  constructor(before: FlowTable, options: DiffOptions = {}) {
    this.#before = before;
    this.#options = options;
    this.#isInBoth = new Uint8Array(before.size);
    this.#differing = new FlowTable({ statistics: options.stats === true });
  }

  /** Takes a flow of the other set. */
  take(flow: FlowParts): TakenFlow {
    const number = this.#before.find(flow);
    const isKnown = number >= 0 && this.#isInBoth[number] === 1;
    if (number >= 0) {
      const old = this.#before.read(number, this.#old);
      if (differences(old, flow, this.#options).length === 0) {
        this.#isInBoth[number] = 1;
        return isKnown ? "repeated" : "new";
      }
    }
    const { size } = this.#differing;
    const differing = this.#differing.put(flow);
    if (differing < 0) return "unreadable";
    return isKnown || differing < size ? "repeated" : "new";
  }

  /** The differences, as {@link diffTables} tells them. Call it once. */
  differences(): Generator<FlowDifference, void> {
    return diffTables(this.#before, this.#differing, this.#options, this.#isInBoth);
  }
}

/**
 * The differences between two sets of flows: first flows of `after` that `before` lacks, or has
 * with other actions, in the order of `after`; then flows that only `before` has. Two flows that
 * match the same packets are the same flow.
 * @param isInBoth flows of `before`, by number, that are known to be in the other set, unchanged
 */
export function* diffTables(
  before: FlowTable,
  after: FlowTable,
  options: DiffOptions = {},
  isInBoth: Uint8Array = new Uint8Array(before.size),
): Generator<FlowDifference, void> {
  const old = newFlowParts();
  const now = newFlowParts();
  for (let index = 0; index < after.size; index++) {
    after.read(index, now);
    const number = before.numberOf(after, index);
    if (number < 0) {
      yield { kind: "added", after: now };
      continue;
    }
    isInBoth[number] = 1;
    const what = differences(before.read(number, old), now, options);
    if (what.length > 0) yield { kind: "changed", before: old, after: now, what };
  }
  for (let index = 0; index < before.size; index++) {
    if (isInBoth[index] === 0) yield { kind: "removed", before: before.read(index, old) };
  }
}

const NOTHING: readonly FlowAspect[] = [];

function differences(
  before: FlowParts,
  after: FlowParts,
  { ufid = true, stats = false }: DiffOptions,
): readonly FlowAspect[] {
  const isSame = sameDeeds(before, after);
  const hasOther = ufid && !haveOneName(before, after);
  const hasMoved =
    stats && (before.packets !== after.packets || before.byteCount !== after.byteCount);
  if (isSame && !hasOther && !hasMoved) return NOTHING;
  const what: FlowAspect[] = [];
  if (!isSame) what.push("actions");
  if (hasOther) what.push("ufid");
  if (hasMoved) what.push("stats");
  return what;
}

// Whether two flows have the same identity. A UFID that is the hash of the match adds nothing to
// the match, and equals having no UFID.
function haveOneName(own: FlowParts, held: FlowParts): boolean {
  return haveSameUfid(own, held) || (!hasGivenUfid(own) && !hasGivenUfid(held));
}
