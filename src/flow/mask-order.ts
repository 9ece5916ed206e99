import type { MaskClass } from "./mask-class.ts";
import { MaskGroups } from "./mask-groups.ts";
import type { FlowParts } from "./parts.ts";

/**
 * Finds the order in which a kernel takes flows fastest. A put walks every existing mask, so flows
 * that overlap no others are sorted by the number of flows that share their mask, most first. Flows
 * that overlap keep their order.
 */

/** The order that was found for flows. */
export type FlowOrder = {
  /** `file`: the order of the input; `masks`: another one. */
  readonly order: "file" | "masks";
  /** The number of masks; null if they were not examined. */
  readonly masks: number | null;
  /**
   * The number of masks that a put walks on average, in the order of the input; null if not
   * examined.
   */
  readonly walkedInFileOrder: number | null;
  /** The same in the order that was found. */
  readonly walked: number | null;
  /** Why the order of the input was kept although another might be faster; empty otherwise. */
  readonly reason: string;
};

/** The result of {@link MaskOrder}: `flows` are the numbers of all flows in an order other than the input's. */
export type FoundOrder = { readonly found: FlowOrder; readonly flows?: Int32Array };

/**
 * With more masks, some kernels run out of memory for them: then the order would decide which flows
 * fail.
 */
const MASKS_MAX = 4000;

/**
 * The number of masks that another order must save each put on average: walking one costs a
 * fiftieth of a put.
 */
const WORTHWHILE_MASKS = 2;

const NOT_LOOKED_AT = { masks: null, walkedInFileOrder: null, walked: null } as const;

/**
 * Why flows keep their order if UFIDs were given and one occurs twice: a kernel looks up the UFID
 * first. The hash of another flow may be given, too.
 */
export const SAME_UFID = "UFIDs were given, and two flows have the same";

/** The order of the input, for a reason. */
export function orderOfFile(reason: string, facts: Partial<FlowOrder> = {}): FlowOrder {
  return { order: "file", ...NOT_LOOKED_AT, ...facts, reason };
}

/** The order of flows that have one mask, or of none. */
export function orderOfOneMask(flows: number): FlowOrder {
  return orderOfFile("", { masks: Math.min(flows, 1), walkedInFileOrder: 1, walked: 1 });
}

/** Flows that keep their relative order, and the number of their masks. */
type Group = { readonly flows: number[]; masks: number };

/** Takes all flows, and finds an order for them. */
export class MaskOrder {
  readonly #classes = new MaskGroups();
  #classOf = new Int32Array(1024);
  #flows = 0;

  /** The number of flows. */
  get flows(): number {
    return this.#flows;
  }

  /**
   * Adds the next flow; its number is that of the flows before it.
   * @param anyPort whether its port is not known yet and may be any
   * @returns false if it cannot be read: then there is no order to be found
   */
  add(flow: FlowParts, anyPort: boolean): boolean {
    const mask = this.#classes.add(flow, anyPort);
    if (mask < 0) return false;
    if (this.#flows === this.#classOf.length) {
      const longer = new Int32Array(this.#flows * 2);
      longer.set(this.#classOf);
      this.#classOf = longer;
    }
    this.#classOf[this.#flows++] = mask;
    return true;
  }

  /**
   * Finds the best order.
   * @param obstacle asked if another one is worthwhile: why it may still not be used, or nothing
   */
  find(obstacle: () => string): FoundOrder {
    const classOf = this.#classOf.subarray(0, this.#flows);
    const { masks: classes } = this.#classes;
    const masks = classes.length;
    if (masks < 2) return { found: orderOfOneMask(this.#flows) };
    const walkedInFileOrder = walkedOf(classOf, masks);
    const seen = { masks, walkedInFileOrder, walked: walkedInFileOrder };
    const stay = (reason: string): FoundOrder => ({ found: orderOfFile(reason, seen) });
    if (walkedInFileOrder - leastWalked(classes, classOf.length) < WORTHWHILE_MASKS)
      return stay("");
    if (masks > MASKS_MAX) return stay(`a kernel may not have room for ${masks} masks`);
    const reason = obstacle();
    if (reason !== "") return stay(reason);
    const flows = Int32Array.from(groupsOf(this.#classes, classOf).flatMap((group) => group.flows));
    const walked = walkedOf(
      flows.map((flow) => classOf[flow]!),
      masks,
    );
    if (walkedInFileOrder - walked < WORTHWHILE_MASKS)
      return stay("flows of different masks overlap");
    return { found: { order: "masks", masks, walkedInFileOrder, walked, reason: "" }, flows };
  }
}

/**
 * How many masks a put walks on average with the masks in this order: those before its own, and its
 * own.
 */
function walkedOf(classOf: Int32Array, masks: number): number {
  const seen = new Uint8Array(masks);
  let there = 0;
  let walked = 0;
  for (const index of classOf) {
    if (seen[index] === 0) {
      seen[index] = 1;
      there++;
    }
    walked += there;
  }
  return classOf.length === 0 ? 0 : walked / classOf.length;
}

function leastWalked(masks: readonly MaskClass[], flows: number): number {
  const counts = masks.map(({ count }) => count);
  let walked = 0;
  counts.sort((a, b) => b - a).forEach((count, i) => (walked += count * (i + 1)));
  return flows === 0 ? 0 : walked / flows;
}

// The groups, sorted by flows per mask, most first; then by their first flows.
function groupsOf(classes: MaskGroups, classOf: Int32Array): Group[] {
  const groupOf = classes.groups();
  const groups: Group[] = [];
  for (let index = 0; index < groupOf.length; index++)
    (groups[groupOf[index]!] ??= { flows: [], masks: 0 }).masks++;
  for (let flow = 0; flow < classOf.length; flow++)
    groups[groupOf[classOf[flow]!]!]!.flows.push(flow);
  const density = ({ flows, masks }: Group): number => flows.length / masks;
  return groups.sort((a, b) => density(b) - density(a) || a.flows[0]! - b.flows[0]!);
}
