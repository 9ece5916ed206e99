import { haveSameMask, maskHash, mayOverlapOne, overlaps } from "./key/overlap.ts";
import { KeyRecord } from "./key/record.ts";
import { type FlowParts, readMatch } from "./parts.ts";

/** Flows of one mask, which never overlap each other. */
type MaskClass<Flow> = {
  /** One of the flows: of it the mask is looked at, and the EtherType. */
  readonly like: KeyRecord;
  /** Flows that wait for others. */
  readonly waiting: Flow[];
  /** Classes that come first: their flows might be refused while one of those is there. */
  readonly before: Set<MaskClass<Flow>>;
};

/**
 * Puts the flows of a dump into an order in which a kernel takes them again. It takes no flow that
 * overlaps a wider one that is there, and takes a wide one after it; its dump is in the order of a hash
 * table. Most flows are in nobody's way and need not wait. Those that might be wait until all are seen:
 * only they are kept.
 *
 * Every mask has to be shown to {@link learn} before the first flow comes to {@link admit}.
 */
export class LoadOrder<Flow extends FlowParts> {
  readonly #keep: (flow: Flow) => Flow;
  readonly #classes = new Map<number, MaskClass<Flow>[]>();
  readonly #all: MaskClass<Flow>[] = [];
  readonly #record = new KeyRecord();

  /** @param keep a copy of a flow that has to wait */
  constructor(keep: (flow: Flow) => Flow) {
    this.#keep = keep;
  }

  /** Shows a flow, for its mask. */
  learn(flow: FlowParts): void {
    if (readMatch(flow, this.#record)) this.#classOf(flow);
  }

  /**
   * Takes a flow.
   * @returns whether it may be loaded now; otherwise it comes from {@link rest}
   */
  admit(flow: Flow): boolean {
    const record = this.#record;
    // What cannot be read cannot be compared: whoever gets it will say so.
    if (!readMatch(flow, record)) return true;
    const own = this.#classOf(flow);
    let waits = false;
    for (const earlier of this.#all) {
      if (earlier === own || !mayOverlapOne(earlier.like, record)) continue;
      own.before.add(earlier);
      waits = true;
    }
    if (waits) own.waiting.push(this.#keep(flow));
    return !waits;
  }

  /** The flows that had to wait, in their order. */
  *rest(): Generator<Flow, void> {
    let classes = this.#all.filter(({ waiting }) => waiting.length > 0);
    while (classes.length > 0) {
      const left = classes;
      const free = left.filter(({ before }) => !left.some((candidate) => before.has(candidate)));
      // Where each class has a flow in the way of another one's, single flows have to tell.
      if (free.length === 0) {
        yield* oneByOne(classes);
        return;
      }
      for (const { waiting } of free) yield* waiting;
      classes = classes.filter((masks) => !free.includes(masks));
    }
  }

  // The class of the flow that has just been read.
  #classOf(flow: FlowParts): MaskClass<Flow> {
    const hash = maskHash(this.#record);
    const found = this.#classes.get(hash);
    const known = found?.find(({ like }) => haveSameMask(like, this.#record));
    if (known !== undefined) return known;
    const like = new KeyRecord();
    readMatch(flow, like);
    const made: MaskClass<Flow> = { like, waiting: [], before: new Set() };
    if (found === undefined) this.#classes.set(hash, [made]);
    else found.push(made);
    this.#all.push(made);
    return made;
  }
}

/** A flow, and the search for those that have to come before it. */
type Step<Flow> = { readonly flow: Flow; readonly earlier: Iterator<Member<Flow>> };

/** A flow and its class. */
type Member<Flow> = { readonly flow: Flow; readonly masks: MaskClass<Flow> };

/**
 * Flows in an order in which none comes after one that it overlaps, by looking at pairs. Flows that were
 * ever in one kernel together have such an order: the one in which they came.
 */
function* oneByOne<Flow extends FlowParts>(
  classes: readonly MaskClass<Flow>[],
): Generator<Flow, void> {
  const seen = new Set<Flow>();
  // A stack of its own: a chain of overlaps can be as long as a dump.
  const path: Step<Flow>[] = [];
  const enter = (member: Member<Flow>): void => {
    if (seen.has(member.flow)) return;
    seen.add(member.flow);
    path.push({ flow: member.flow, earlier: earlierThan(member, classes) });
  };
  for (const masks of classes) {
    for (const flow of masks.waiting) {
      enter({ flow, masks });
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
  { flow, masks }: Member<Flow>,
  classes: readonly MaskClass<Flow>[],
): Generator<Member<Flow>, void> {
  const held = new KeyRecord();
  const record = new KeyRecord();
  readMatch(flow, held);
  for (const earlier of classes) {
    if (!masks.before.has(earlier)) continue;
    for (const member of earlier.waiting) {
      if (readMatch(member, record) && overlaps(record, held))
        yield { flow: member, masks: earlier };
    }
  }
}
