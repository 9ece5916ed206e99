/** Matches of a few bits of three fields, of which many overlap, and a model of the kernel's flow table for them. */
import * as fc from "fast-check";
import { Flow } from "../../src/flow/flow.ts";
import type { FlowParts } from "../../src/flow/parts.ts";
import { FlowTable } from "../../src/state/flow-table.ts";
import { flowOf } from "../flow/dumped-flow.ts";

/** The matched value of each field, zero where the mask is; and the output port. */
export type Rule = {
  readonly key: readonly number[];
  readonly mask: readonly number[];
  readonly to: number;
};

const BITS = fc.constantFrom(0, 1, 2, 3);

export const rule: fc.Arbitrary<Rule> = fc
  .tuple(
    fc.array(BITS, { minLength: 3, maxLength: 3 }),
    fc.array(BITS, { minLength: 3, maxLength: 3 }),
    fc.constantFrom(1, 2),
  )
  .map(([key, mask, to]) => ({ key: key.map((value, i) => value & (mask[i] ?? 0)), mask, to }));

/** The common key of rules that match the same packets. */
export function nameOf({ key, mask }: Rule): string {
  return `${key.join()}/${mask.join()}`;
}

export function textOf({ key, mask, to }: Rule): string {
  const field = (i: number): string => `0.0.0.${key[i]}/0.0.0.${mask[i]}`;
  return (
    `in_port(1),eth(),eth_type(0x0800),ipv4(src=${field(0)},dst=${field(1)},` +
    `tos=${key[2]}/${mask[2]},frag=no) ${to}`
  );
}

/** The rule as a flow; made once, since making it takes longer than the test. */
export function partsOf(from: Rule): FlowParts {
  const text = textOf(from);
  let parts = PARTS.get(text);
  if (parts === undefined) PARTS.set(text, (parts = flowOf(text)));
  return parts;
}

const PARTS = new Map<string, FlowParts>();

/** The rule as millrace prints it. */
export function printed(from: Rule): string {
  const text = textOf(from);
  let line = PRINTED.get(text);
  if (line === undefined) PRINTED.set(text, (line = Flow.fromParts(partsOf(from)).toString()));
  return line;
}

const PRINTED = new Map<string, string>();

export function tableOf(rules: readonly Rule[]): FlowTable {
  const table = new FlowTable();
  for (const one of rules) table.put(partsOf(one));
  return table;
}

/** A flow table as the kernel keeps it. */
export class ModelTable {
  readonly held: Map<string, Rule> = new Map<string, Rule>();

  /** The flow that keeps a rule out: one whose packets its masked key is of. */
  obstacleOf(one: Rule): Rule | undefined {
    return [...this.held.values()].find(
      (other) =>
        nameOf(other) !== nameOf(one) &&
        other.key.every((value, i) => ((one.key[i] ?? 0) & (other.mask[i] ?? 0)) === value),
    );
  }

  /** @returns false if the kernel answers EEXIST */
  put(one: Rule): boolean {
    if (!this.held.has(nameOf(one)) && this.obstacleOf(one) !== undefined) return false;
    this.held.set(nameOf(one), one);
    return true;
  }

  delete(one: Rule): void {
    this.held.delete(nameOf(one));
  }
}

/** The rules that a kernel takes of these, in their order; of two for the same packets the first. */
export function takenOf(rules: readonly Rule[]): Rule[] {
  const table = new ModelTable();
  for (const one of rules) if (!table.held.has(nameOf(one))) table.put(one);
  return [...table.held.values()];
}
