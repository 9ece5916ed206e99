import { overlaps } from "./key/overlap.ts";
import { KeyRecord } from "./key/record.ts";
import { type MaskClass, MaskClasses, mayRefuse } from "./mask-class.ts";
import { type FlowParts, readMatch } from "./parts.ts";
import { MaskReader } from "./shape/mask-reader.ts";

/** Flows of one mask that wait for others. They never overlap each other. */
type Waiting<Flow> = {
  readonly flows: Flow[];
  /** Masks that come first: their flows might be refused while one of those is there. */
  readonly before: Set<MaskClass>;
};

/**
 * Puts the flows of a dump into an order in which a kernel takes them again. It takes no flow that
 * overlaps a wider one that is there, and takes a wide one after it; its dump is in the order of a hash
 * table. Most flows are in nobody's way and need not wait. Those that might be wait until all are seen:
 * only they are kept.
 *
 * Every flow has to be shown to {@link learn} before the first one comes to {@link admit}.
 */
export class LoadOrder<Flow extends FlowParts> {
  readonly #keep: (flow: Flow) => Flow;
  readonly #classes = new MaskClasses({ byType: true });
  /** Of the classes that were looked at, those that might have to come first. */
  readonly #earlier = new Map<MaskClass, readonly MaskClass[]>();
  readonly #waiting = new Map<MaskClass, Waiting<Flow>>();
  readonly #reader = new MaskReader(this.#classes);
  #version = 0;

  /** @param keep a copy of a flow that has to wait */
  constructor(keep: (flow: Flow) => Flow) {
    this.#keep = keep;
  }

  /** Shows a flow, for its mask and for what flows of that have in common. */
  learn(flow: FlowParts): void {
    this.#reader.add(flow);
  }

  /**
   * Takes a flow.
   * @returns whether it may be loaded now; otherwise it comes from {@link rest}
   */
  admit(flow: Flow): boolean {
    const own = this.#reader.add(flow);
    // What cannot be read cannot be compared: whoever gets it will say so.
    if (own === undefined) return true;
    let waiting: Waiting<Flow> | undefined;
    for (const earlier of this.#earlierThan(own)) {
      if (!mayRefuse(own, earlier, this.#classes.values)) continue;
      waiting ??= this.#waitingOf(own);
      waiting.before.add(earlier);
    }
    waiting?.flows.push(this.#keep(flow));
    return waiting === undefined;
  }

  /** The flows that had to wait, in their order. */
  *rest(): Generator<Flow, void> {
    let left = [...this.#waiting];
    while (left.length > 0) {
      const masks = new Set(left.map(([mask]) => mask));
      const free = left.filter(([, { before }]) => masks.isDisjointFrom(before));
      // Where each mask has a flow in the way of another one's, single flows have to tell.
      if (free.length === 0) {
        yield* oneByOne(left);
        return;
      }
      for (const [, { flows }] of free) yield* flows;
      left = left.filter((waiting) => !free.includes(waiting));
    }
  }

  // The classes of which a flow might have to come before one of `own`. Flows that have come since they were learnt may
  // have changed that.
  #earlierThan(own: MaskClass): readonly MaskClass[] {
    if (this.#version !== this.#classes.version) {
      this.#version = this.#classes.version;
      this.#earlier.clear();
    }
    const known = this.#earlier.get(own);
    if (known !== undefined) return known;
    const found = this.#classes.all.filter((earlier) => earlier !== own && mayRefuse(own, earlier));
    this.#earlier.set(own, found);
    return found;
  }

  #waitingOf(own: MaskClass): Waiting<Flow> {
    const known = this.#waiting.get(own);
    if (known !== undefined) return known;
    const made = { flows: [], before: new Set<MaskClass>() };
    this.#waiting.set(own, made);
    return made;
  }
}

/** Flows that wait, by their masks. */
type Left<Flow> = readonly (readonly [MaskClass, Waiting<Flow>])[];

/** A flow, and the search for those that have to come before it. */
type Step<Flow> = { readonly flow: Flow; readonly earlier: Iterator<Member<Flow>> };

/** A flow, and the masks of which flows might have to come before it. */
type Member<Flow> = { readonly flow: Flow; readonly before: ReadonlySet<MaskClass> };

/**
 * Flows in an order in which none comes after one that it overlaps, by looking at pairs. Flows that were
 * ever in one kernel together have such an order: the one in which they came.
 */
function* oneByOne<Flow extends FlowParts>(left: Left<Flow>): Generator<Flow, void> {
  const seen = new Set<Flow>();
  // A stack of its own: a chain of overlaps can be as long as a dump.
  const path: Step<Flow>[] = [];
  const enter = (member: Member<Flow>): void => {
    if (seen.has(member.flow)) return;
    seen.add(member.flow);
    path.push({ flow: member.flow, earlier: earlierThan(member, left) });
  };
  for (const [, { flows, before }] of left) {
    for (const flow of flows) {
      enter({ flow, before });
      for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
        const next = step.earlier.next();
        if (next.done !== true) {
          enter(next.value);
          continue;
        }
        yield step.flow;
        path.pop();
      }
    }
  }
}

// Those that would be refused while the flow is there.
function* earlierThan<Flow extends FlowParts>(
  { flow, before }: Member<Flow>,
  left: Left<Flow>,
): Generator<Member<Flow>, void> {
  const held = new KeyRecord();
  const record = new KeyRecord();
  readMatch(flow, held);
  for (const [masks, earlier] of left) {
    if (!before.has(masks)) continue;
    for (const member of earlier.flows) {
      if (readMatch(member, record) && overlaps(record, held))
        yield { flow: member, before: earlier.before };
    }
  }
}
