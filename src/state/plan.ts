import { NO_OWNER, type UfidSeed, ufidSeed } from "../flow/key/ufid.ts";
import { type FlowParts, isOwned, newFlowParts } from "../flow/parts.ts";
import { doTheSame } from "./diff.ts";
import type { FlowTable } from "./flow-table.ts";
import { Obstacles } from "./obstacles.ts";

/** What may be deleted and changed. */
export type PlanOptions = {
  /** Whose flows they are: only that owner's are deleted or changed. Nobody's by default. */
  readonly owner?: string;
  /** Flows of everybody are. */
  readonly all?: boolean;
  /** Flows that a set had before are, however they are named. */
  readonly previous?: FlowTable;
  /** No flow is deleted but those in the way of others. */
  readonly keepOthers?: boolean;
  /** A flow of both sets may be taken out and put back, where it is in the way of another one. */
  readonly allowGap?: boolean;
};

/** A flow that is wanted, and one that is there and keeps the kernel from taking it, or is somebody else's. */
export type Conflict = {
  /** Its number in the wanted set. */
  readonly wanted: number;
  /** The other one's number in the held set. */
  readonly held: number;
  /**
   * `gap`: both are wanted, and the wide one would have to go for a while. `foreign`: a flow that the owner does not
   * own is in the way. `taken`: the flow is there with other actions, and is not the owner's.
   */
  readonly why: "gap" | "foreign" | "taken";
};

/** What makes of the flows that are there those that are wanted, in this order. All are numbers of flows. */
export type Plan = {
  /** Held flows that are in the way of new ones, and go first. */
  readonly deletesFirst: readonly number[];
  /** Wanted flows that are not there, or were deleted first: to be put in an order that the kernel takes. */
  readonly adds: readonly number[];
  /** Flows that get other actions. */
  readonly changes: readonly { readonly wanted: number; readonly held: number }[];
  /** Held flows that nobody is in need of. */
  readonly deletes: readonly number[];
  /** Why the wanted state cannot be reached; nothing is to be sent then. */
  readonly conflicts: readonly Conflict[];
  readonly unchanged: number;
  /** Held flows that are neither wanted nor the owner's. */
  readonly foreign: number;
  /** Held flows that are the owner's, by whatever makes them so. */
  readonly owned: number;
};

/**
 * Compares what is there with what is wanted. A flow of both sets is never absent: adds come before deletes, but for
 * flows that are in the way of new ones, and those are never wanted ones, unless a gap is allowed.
 */
export function planSync(wanted: FlowTable, held: FlowTable, options: PlanOptions = {}): Plan {
  const { owner = "", allowGap = false, keepOthers = false } = options;
  const owners = new Owners(ufidSeed(owner), options);
  const fate = new Uint8Array(held.size);
  const adds: number[] = [];
  const changes: { wanted: number; held: number }[] = [];
  const conflicts: Conflict[] = [];
  const own = newFlowParts();
  const match = newFlowParts();
  let unchanged = 0;
  for (let index = 0; index < wanted.size; index++) {
    const at = held.numberOf(wanted, index);
    if (at < 0) {
      adds.push(index);
      continue;
    }
    wanted.read(index, own);
    held.read(at, match);
    const isOurs = owners.has(held, at, match) || haveSameUfid(own, match);
    fate[at] = WANTED | (isOurs ? OURS : 0);
    if (doTheSame(own, match)) unchanged++;
    else if (isOurs) changes.push({ wanted: index, held: at });
    else conflicts.push({ wanted: index, held: at, why: "taken" });
  }
  let foreign = 0;
  for (let at = 0; at < held.size; at++) {
    if (fate[at] !== 0) continue;
    if (owners.has(held, at, held.read(at, match))) fate[at] = OURS;
    else foreign++;
  }
  const owned = fate.reduce((count, bits) => count + ((bits & OURS) === 0 ? 0 : 1), 0);

  const deletesFirst: number[] = [];
  const putBack: number[] = [];
  const obstacles = adds.length > 0 && held.size > 0 ? new Obstacles(held) : undefined;
  // A flow that is put back is a new one then: others may be in its way, too.
  const news = [...adds];
  for (const index of news) {
    for (const at of obstacles?.of(wanted.read(index, own)) ?? []) {
      if ((fate[at]! & FIRST) !== 0) continue;
      const isOurs = (fate[at]! & OURS) !== 0;
      const isWanted = (fate[at]! & WANTED) !== 0;
      if (!isOurs) conflicts.push({ wanted: index, held: at, why: "foreign" });
      else if (isWanted && !allowGap) conflicts.push({ wanted: index, held: at, why: "gap" });
      else {
        fate[at]! |= FIRST;
        deletesFirst.push(at);
        if (!isWanted) continue;
        const back = wanted.numberOf(held, at);
        putBack.push(back);
        news.push(back);
      }
    }
  }
  const deletes: number[] = [];
  if (!keepOthers) for (let at = 0; at < held.size; at++) if (fate[at] === OURS) deletes.push(at);
  const isPutBack = new Set(putBack);
  const changedLeft = changes.filter((change) => !isPutBack.has(change.wanted));
  const unchangedPutBack = putBack.length - (changes.length - changedLeft.length);
  return {
    deletesFirst,
    adds: news,
    changes: changedLeft,
    deletes,
    conflicts,
    unchanged: unchanged - unchangedPutBack,
    foreign,
    owned,
  };
}

/** What becomes of a held flow, as bits: it is wanted; the owner may delete it; it goes first. */
const WANTED = 1;
const OURS = 2;
const FIRST = 4;

/** Tells which of the flows that are there may be deleted or changed. */
class Owners {
  readonly #seed: UfidSeed;
  readonly #all: boolean;
  readonly #previous: FlowTable | undefined;

  constructor(seed: UfidSeed, { all = false, previous }: PlanOptions) {
    this.#seed = seed;
    this.#all = all;
    this.#previous = previous;
  }

  has(held: FlowTable, index: number, flow: FlowParts): boolean {
    if (this.#all) return true;
    const isOwners =
      this.#seed === NO_OWNER ? held.isNobodys(index, flow) : isOwned(flow, this.#seed);
    if (isOwners) return true;
    return this.#previous !== undefined && this.#previous.numberOf(held, index) >= 0;
  }
}

// A wanted flow that was given its UFID is the very flow that has it.
function haveSameUfid({ bytes: one, ufid: a }: FlowParts, { bytes: other, ufid: b }: FlowParts) {
  const length = a.end - a.start;
  if (a.start < 0 || length !== b.end - b.start) return false;
  for (let i = 0; i < length; i++) if (one[a.start + i] !== other[b.start + i]) return false;
  return true;
}
