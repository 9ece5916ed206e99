import { NO_OWNER, type UfidSeed, ufidSeed } from "../flow/key/ufid.ts";
import { type FlowParts, haveSameUfid, isOwned, newFlowParts } from "../flow/parts.ts";
import { sameDeeds } from "../load/settle/same-flow.ts";
import type { FlowTable } from "./flow-table.ts";
import { excludeEachOther, Obstacles, UfidHolders } from "./obstacles.ts";

/** Which flows may be deleted and changed. */
export type PlanOptions = {
  /** The owner whose flows may be deleted or changed; by default flows without an owner. */
  readonly owner?: string;
  /** Flows of every owner may be. */
  readonly all?: boolean;
  /** Flows of this earlier set may be, whatever their identity. */
  readonly previous?: FlowTable;
  /** Deletes only flows that block wanted ones. */
  readonly keepOthers?: boolean;
  /** A flow of both sets may be removed and put back if it blocks another one. */
  readonly allowGap?: boolean;
};

/** A wanted flow, and an existing one that blocks it or belongs to another owner. */
export type Conflict = {
  /** Its number in the wanted set. */
  readonly wanted: number;
  /** The existing flow's number in the held set. */
  readonly held: number;
  /**
   * `gap`: both are wanted, and the existing one would have to be absent for a while. `never`: both
   * are wanted, and a kernel never holds both. `foreign`: a flow of another owner is in the way.
   * `taken`: the flow exists with other actions and belongs to another owner.
   */
  readonly why: "gap" | "never" | "foreign" | "taken";
};

/** The steps from the held flows to the wanted ones, in this order, as numbers of flows. */
export type Plan = {
  /** Held flows that block new ones, and are deleted first. */
  readonly deletesFirst: readonly number[];
  /**
   * Wanted flows that are missing, or were deleted first, to be put in an order that the kernel
   * takes.
   */
  readonly adds: readonly number[];
  /** Flows that get other actions. */
  readonly changes: readonly { readonly wanted: number; readonly held: number }[];
  /** Held flows that are no longer wanted. */
  readonly deletes: readonly number[];
  /** Why the wanted state cannot be reached; if there are any, nothing may be sent. */
  readonly conflicts: readonly Conflict[];
  readonly unchanged: number;
  /** The number of held flows that are neither wanted nor the owner's. */
  readonly foreign: number;
  /** The number of held flows that count as the owner's, for any reason. */
  readonly owned: number;
};

/**
 * Compares held with wanted flows. A flow of both sets is never absent: adds come before deletes,
 * except deletes of flows that block new ones, and those are never wanted flows unless a gap is
 * allowed.
 */
export function planSync(wanted: FlowTable, held: FlowTable, options: PlanOptions = {}): Plan {
  const { allowGap = false, keepOthers = false } = options;
  const owners = new Owners(options);
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
    const isOurs = owners.has(held, at, match) || (own.ufid.start >= 0 && haveSameUfid(own, match));
    fate[at] = WANTED | (isOurs ? OURS : 0);
    if (sameDeeds(own, match)) unchanged++;
    else if (isOurs) changes.push({ wanted: index, held: at });
    else conflicts.push({ wanted: index, held: at, why: "taken" });
  }
  const foreign = markOurs(held, owners, fate);
  const owned = fate.reduce((count, bits) => count + ((bits & OURS) === 0 ? 0 : 1), 0);

  const deletesFirst: number[] = [];
  const putBack: number[] = [];
  const blockers = blockersIn(held, wanted, adds);
  // A flow that is put back counts as new: other flows may block it as well.
  const news = [...adds];
  for (const index of news) {
    for (const at of blockers(index)) {
      const isOurs = (fate[at]! & OURS) !== 0;
      const isWanted = (fate[at]! & WANTED) !== 0;
      if (isWanted && neverBoth(wanted, index, held, at)) {
        conflicts.push({ wanted: index, held: at, why: "never" });
      } else if ((fate[at]! & FIRST) !== 0) continue;
      else if (!isOurs) conflicts.push({ wanted: index, held: at, why: "foreign" });
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

/** Marks flows of the owner among those that are not wanted. @returns how many are not the owner's */
function markOurs(held: FlowTable, owners: Owners, fate: Uint8Array): number {
  const view = newFlowParts();
  let foreign = 0;
  for (let at = 0; at < held.size; at++) {
    if (fate[at] !== 0) continue;
    if (owners.has(held, at, held.read(at, view))) fate[at] = OURS;
    else foreign++;
  }
  return foreign;
}

/** Finds the held flows because of which a kernel would refuse a wanted flow. */
function blockersIn(
  held: FlowTable,
  wanted: FlowTable,
  adds: readonly number[],
): (index: number) => readonly number[] {
  if (adds.length === 0 || held.size === 0) return () => [];
  const obstacles = new Obstacles(held);
  const holders = new UfidHolders(wanted, adds, held);
  const view = newFlowParts();
  return (index) => {
    const found = obstacles.of(wanted.read(index, view));
    const holder = holders.of(index);
    return holder < 0 || found.includes(holder) ? found : [...found, holder];
  };
}

/** Whether a kernel never holds a new flow beside the wanted one that it holds as number `at`. */
function neverBoth(wanted: FlowTable, index: number, held: FlowTable, at: number): boolean {
  const flow = wanted.read(index, newFlowParts());
  const other = wanted.read(wanted.numberOf(held, at), newFlowParts());
  return excludeEachOther(flow, other);
}

/** Bits of a held flow: it is wanted; the owner may delete it; it is deleted first. */
const WANTED = 1;
const OURS = 2;
const FIRST = 4;

/** Decides which held flows may be deleted or changed. */
export class Owners {
  readonly #seed: UfidSeed;
  readonly #all: boolean;
  readonly #previous: FlowTable | undefined;

  constructor({ owner = "", all = false, previous }: PlanOptions) {
    this.#seed = ufidSeed(owner);
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
