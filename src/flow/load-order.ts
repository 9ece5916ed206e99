import { overlaps } from "./key/overlap.ts";
import { KeyRecord } from "./key/record.ts";
import { type MaskClass, MaskClasses, mayRefuse } from "./mask-class.ts";
import { type FlowParts, readMatch } from "./parts.ts";
import { MaskReader } from "./shape/mask-reader.ts";

/** Waiting flows of one mask. They never overlap each other. */
type Waiting<Flow> = {
  readonly flows: Flow[];
  /** Masks that must come first, since their flows might be refused while one of these is there. */
  readonly before: Set<MaskClass>;
};

/**
 * Puts the flows of a dump into an order in which a kernel accepts them. A kernel refuses a flow
 * that overlaps a wider one already there, but takes the wide one last; its dump is in the order of
 * a hash table. Most flows block no other flow and need not wait. Those that might are kept until
 * all were seen.
 *
 * Pass every flow to {@link learn} before passing the first to {@link admit}.
 */
export class LoadOrder<Flow extends FlowParts> {
  readonly #keep: (flow: Flow) => Flow;
  readonly #classes = new MaskClasses({ byType: true });
  /** For each class examined, the classes that might have to come first. */
  readonly #earlier = new Map<MaskClass, readonly MaskClass[]>();
  readonly #waiting = new Map<MaskClass, Waiting<Flow>>();
  readonly #reader = new MaskReader(this.#classes);
  #version = 0;

  /** @param keep copies a flow that has to wait */
  constructor(keep: (flow: Flow) => Flow) {
    this.#keep = keep;
  }

  /** Records the mask of a flow, and what flows of that mask have in common. */
  learn(flow: FlowParts): void {
    this.#reader.add(flow);
  }

  /**
   * Takes a flow.
   * @returns whether it may be loaded now; otherwise it comes from {@link rest}
   */
  admit(flow: Flow): boolean {
    const own = this.#reader.add(flow);
    // An unreadable flow cannot be compared; the code that loads it reports it.
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

  /** The flows that had to wait, in a loadable order. */
  *rest(): Generator<Flow, void> {
    let left = [...this.#waiting];
    while (left.length > 0) {
      const masks = new Set(left.map(([mask]) => mask));
      const free = left.filter(([, { before }]) => masks.isDisjointFrom(before));
      // If every mask blocks another, single flows must be compared.
      if (free.length === 0) {
        yield* oneByOne(left);
        return;
      }
      for (const [, { flows }] of free) yield* flows;
      left = left.filter((waiting) => !free.includes(waiting));
    }
  }

  // The classes with flows that might have to come before one of `own`; recomputed after later
  // flows changed what classes have in common.
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

/** Waiting flows, by mask. */
type Left<Flow> = readonly (readonly [MaskClass, Waiting<Flow>])[];

/** A flow, and the search for flows that must come before it. */
type Step<Flow> = { readonly flow: Flow; readonly earlier: Iterator<Member<Flow>> };

/** A flow, and the masks whose flows might have to come before it. */
type Member<Flow> = { readonly flow: Flow; readonly before: ReadonlySet<MaskClass> };

/**
 * Yields flows so that none comes after a flow that would block it, by comparing pairs. Flows that
 * were together in a kernel have such an order: the one in which they were put.
 */
function* oneByOne<Flow extends FlowParts>(left: Left<Flow>): Generator<Flow, void> {
  const seen = new Set<Flow>();
  // An explicit stack, since a chain of overlaps can be as long as a dump.
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

// The flows that would be refused while the flow is there.
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
