import { MillraceError } from "../sys/errors.ts";
import { type DatapathHandle, infoOf } from "./datapath.ts";
import { IdentitySet } from "../flow/identity-set.ts";
import type { FlowParts } from "../flow/parts.ts";

/** Why a dump of flows may differ from what the datapath held: flows changed meanwhile. */
export type DumpDoubt = {
  /** Distinct flows in the dump. */
  readonly dumped: number;
  /** How often a flow occurred again. */
  readonly repeated: number;
  /** Flows of the datapath at the beginning and at the end of the dump. */
  readonly before: number;
  readonly after: number;
};

/**
 * Checks whether a dump of flows can be complete. The kernel walks a hash table, releasing its lock
 * between the pieces of a dump (`ovs_flow_cmd_dump` in net/openvswitch/datapath.c), and never sets
 * NLM_F_DUMP_INTR. If the table grows, or is rehashed as happens every ten minutes, some flows come
 * twice and others not at all; a deletion can make the walk skip a neighbouring flow.
 *
 * The check detects a flow that comes twice, and fewer flows than the datapath held at either end.
 * It cannot detect a change in which as many flows were added as removed.
 */
export class DumpCheck {
  readonly #count: () => number;
  readonly #seen: IdentitySet;
  /** Flows of the datapath when this was constructed. */
  readonly before: number;
  /** How often a flow came again so far. */
  repeated = 0;

  /** Construct it before the dump. @param count asks how many flows the datapath holds */
  constructor(count: () => number) {
    this.#count = count;
    this.before = count();
    this.#seen = new IdentitySet(this.before);
  }

  static of(datapath: DatapathHandle): DumpCheck {
    return new DumpCheck(() => infoOf(datapath).stats.flows);
  }

  /** Call for each flow of the dump. Does not allocate per flow. */
  add({ bytes, ufid, key }: FlowParts): void {
    const name = ufid.start < 0 ? key : ufid;
    if (!this.#seen.add(bytes, name.start, name.end)) this.repeated++;
  }

  /** The doubts about the dump after its end; undefined if there are none. */
  doubt(): DumpDoubt | undefined {
    const { size: dumped } = this.#seen;
    return doubtOf({
      dumped,
      repeated: this.repeated,
      before: this.before,
      after: this.#count(),
    });
  }
}

/** The counts of a dump if they cast doubt on it, as {@link DumpCheck} says; otherwise undefined. */
export function doubtOf(counts: DumpDoubt): DumpDoubt | undefined {
  const { dumped, repeated, before, after } = counts;
  return repeated === 0 && dumped >= Math.min(before, after) ? undefined : counts;
}

/** Describes a doubtful dump in words. */
export function doubtInWords({ dumped, repeated, before, after }: DumpDoubt): string {
  const held = before === after ? `${before}` : `${before} before and ${after} after it`;
  const doubles = repeated === 0 ? "" : `, ${repeated} of them came twice or more`;
  return (
    `flows changed during the dump, it may lack some: it has ${dumped}${doubles}; ` +
    `the datapath held ${held}`
  );
}

/** @throws MillraceError `UNSOUND_DUMP` */
export function throwDoubt(doubt: DumpDoubt): never {
  throw new MillraceError("UNSOUND_DUMP", doubtInWords(doubt));
}
