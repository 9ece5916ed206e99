import type { FlowColumn } from "../flow/filter/columns.ts";
import { Subject } from "../flow/filter/subject.ts";
import type { FlowParts } from "../flow/parts.ts";
import type { JsonScalar } from "../flow/json.ts";
import { scalarOf } from "../flow/json/to-json.ts";
import { TextSink } from "../flow/text/sink.ts";
import { count, printJsonLine, printTable } from "./output.ts";

/** What can be summed of the flows of a group. */
const SUMS = ["packets", "bytes"] as const;

export type Sum = (typeof SUMS)[number];

/** Flows that have the same values. */
type Group = {
  /** The value of each column; null where it is not matched. */
  readonly values: readonly (string | null)[];
  flows: number;
  packets: number;
  bytes: number;
};

/** Between the values of a group in the name that it is found by: in no text of a flow. */
const BETWEEN = 0;

/** What stands for a value that is not matched. */
const UNMATCHED = 1;

/** Counts flows by the values of some of their fields, and sums their counters. */
export class FlowGroups {
  readonly #columns: readonly FlowColumn[];
  readonly #sums: readonly Sum[];
  readonly #groups = new Map<string, Group>();
  readonly #subject = new Subject();
  readonly #name = new TextSink(256);

  constructor(columns: readonly FlowColumn[], sums: readonly Sum[]) {
    this.#columns = columns;
    this.#sums = sums;
  }

  /** Takes a flow. @throws MillraceError `MALFORMED` */
  add(flow: FlowParts): void {
    const name = this.#nameOf(flow);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { values: valuesOf(name), flows: 0, packets: 0, bytes: 0 };
      this.#groups.set(name, group);
    }
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
    return [...this.#groups]
      .sort(([name, group], [otherName, other]) => {
        return other[by] - group[by] || other.flows - group.flows || (name < otherName ? -1 : 1);
      })
      .map(([, group]) => group);
  }

  #nameOf(flow: FlowParts): string {
    const name = this.#name.clear();
    // Time has no say in what flows are grouped by.
    const subject = this.#subject.set(flow, 0);
    for (const { print } of this.#columns) {
      if (!print(subject, name)) name.byte(UNMATCHED);
      name.byte(BETWEEN);
    }
    // A character for each byte: no text is decoded a flow.
    return Buffer.from(name.bytes.buffer, 0, name.length).toString("latin1");
  }
}

function valuesOf(name: string): (string | null)[] {
  const text = Buffer.from(name, "latin1").toString();
  const values = text.split(String.fromCharCode(BETWEEN)).slice(0, -1);
  return values.map((value) => (value === String.fromCharCode(UNMATCHED) ? null : value));
}

/** As a dump in JSON has it. */
function jsonOf(value: string | null | undefined, of: FlowColumn["of"]): JsonScalar | null {
  if (value === null || value === undefined) return null;
  return of === "actions" ? value : scalarOf(value);
}
