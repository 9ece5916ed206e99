import type { FlowColumn } from "../flow/filter/columns.ts";
import { Subject } from "../flow/filter/subject.ts";
import type { FlowParts } from "../flow/parts.ts";
import type { JsonScalar } from "../flow/json.ts";
import { isSame } from "../flow/shape/kept.ts";
import { scalarOf } from "../flow/json/to-json.ts";
import { TextSink } from "../flow/text/sink.ts";
import { count, printJsonLine, printTable } from "./output.ts";

/** What can be summed of the flows of a group. */
const SUMS = ["packets", "bytes"] as const;

export type Sum = (typeof SUMS)[number];

/** Flows that have the same values. */
type Group = {
  /** What it is found by: the texts of its values, with marks between them. */
  readonly name: Uint8Array;
  /** The value of each column; null where it is not matched. */
  readonly values: readonly (string | null)[];
  flows: number;
  packets: number;
  bytes: number;
};

/** Behind each value of a name, and instead of one that is not matched: neither is in the text of a flow. */
const END = 0;
const UNMATCHED = 1;

/** Counts flows by the values of some of their fields, and sums their counters. */
export class FlowGroups {
  readonly #columns: readonly FlowColumn[];
  readonly #sums: readonly Sum[];
  /** By a hash of their names. */
  readonly #groups = new Map<number, Group[]>();
  readonly #subject = new Subject();
  readonly #name = new TextSink(256);

  constructor(columns: readonly FlowColumn[], sums: readonly Sum[]) {
    this.#columns = columns;
    this.#sums = sums;
  }

  /** Takes a flow. @throws MillraceError `MALFORMED` */
  add(flow: FlowParts): void {
    const group = this.#groupOf(this.#nameOf(flow));
    group.flows++;
    group.packets += flow.packets;
    group.bytes += flow.byteCount;
  }

  /** Prints the groups, those with the greatest sum first: a table, or an object a line. */
  print(json: boolean): void {
    const groups = this.#inOrder();
    if (json) {
      for (const group of groups) {
        const values = this.#columns.map(({ name, of }, i) => [name, jsonOf(group.values[i], of)]);
        const sums = this.#sums.map((sum) => [sum, group[sum]]);
        printJsonLine(Object.fromEntries([...values, ["flows", group.flows], ...sums]));
      }
      return;
    }
    const names = this.#columns.map(({ name }) => name);
    printTable([
      [...names, "FLOWS", ...this.#sums.map((sum) => sum.toUpperCase())],
      ...groups.map((group) => [
        ...group.values.map((value) => value ?? "-"),
        count(group.flows),
        ...this.#sums.map((sum) => count(group[sum])),
      ]),
    ]);
  }

  // By the first sum, or by how many flows they have; then by their values.
  #inOrder(): Group[] {
    const [by = "flows"] = this.#sums;
    return [...this.#groups.values()]
      .flat()
      .sort((a, b) => b[by] - a[by] || b.flows - a.flows || Buffer.compare(a.name, b.name));
  }

  #nameOf(flow: FlowParts): TextSink {
    const name = this.#name.clear();
    // Time has no say in what flows are grouped by.
    const subject = this.#subject.set(flow, 0);
    for (const { print } of this.#columns) {
      if (!print(subject, name)) name.byte(UNMATCHED);
      name.byte(END);
    }
    return name;
  }

  // No text is made for a flow, but for the first of a group.
  #groupOf({ bytes, length }: TextSink): Group {
    const hash = hashOf(bytes, length);
    const known = this.#groups.get(hash);
    const found = known === undefined ? undefined : groupCalled(known, bytes, length);
    if (found !== undefined) return found;
    const name = bytes.slice(0, length);
    const made = { name, values: valuesOf(name), flows: 0, packets: 0, bytes: 0 };
    if (known === undefined) this.#groups.set(hash, [made]);
    else known.push(made);
    return made;
  }
}

function groupCalled(
  groups: readonly Group[],
  bytes: Uint8Array,
  length: number,
): Group | undefined {
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i];
    if (group !== undefined && isSame(bytes, 0, length, group.name)) return group;
  }
  return undefined;
}

function hashOf(bytes: Uint8Array, length: number): number {
  let hash = length;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x9e3779b1); // i is below the length
  return hash;
}

function valuesOf(name: Uint8Array): (string | null)[] {
  const values = new TextDecoder().decode(name).split(String.fromCharCode(END)).slice(0, -1);
  return values.map((value) => (value === String.fromCharCode(UNMATCHED) ? null : value));
}

/** As a dump in JSON has it. */
function jsonOf(value: string | null | undefined, of: FlowColumn["of"]): JsonScalar | null {
  if (value === null || value === undefined) return null;
  return of === "actions" ? value : scalarOf(value);
}
