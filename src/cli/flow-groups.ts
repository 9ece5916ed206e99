import type { FlowColumn } from "../flow/filter/columns.ts";
import { Subject } from "../flow/filter/subject.ts";
import type { JsonScalar } from "../flow/json.ts";
import { scalarOf } from "../flow/json/to-json.ts";
import type { FlowParts } from "../flow/parts.ts";
import { TextSink } from "../flow/text/sink.ts";
import { GroupTable } from "./group-table.ts";
import { count, printLines, printTable } from "./output.ts";

/** A counter that can be summed over a group. */
export type Sum = "packets" | "bytes";

/**
 * The bytes that end each value of a group's name, and that stand for an unmatched one. Neither
 * occurs in the text of a flow.
 */
const END = 0;
const UNMATCHED = 1;

/**
 * Counts flows by the values of some of their fields, and sums their counters. It does not make
 * text for each flow.
 */
export class FlowGroups {
  readonly #columns: readonly FlowColumn[];
  readonly #sums: readonly Sum[];
  readonly #table = new GroupTable();
  readonly #subject = new Subject();
  readonly #name = new TextSink(256);

  constructor(columns: readonly FlowColumn[], sums: readonly Sum[]) {
    this.#columns = columns;
    this.#sums = sums;
  }

  /** Adds a flow. @throws MillraceError `MALFORMED` */
  add(flow: FlowParts): void {
    const table = this.#table;
    const group = table.indexOf(this.#nameOf(flow));
    table.flows[group]!++; // an index of the table
    table.packets[group]! += flow.packets;
    table.bytes[group]! += flow.byteCount;
  }

  /** Prints the groups, greatest sum first: a table, or one object per line. */
  print(json: boolean): void {
    const table = this.#table;
    const groups = this.#inOrder();
    if (json) {
      printLines(groups.values().map((group) => JSON.stringify(this.#jsonOf(group))));
      return;
    }
    const names = this.#columns.map(({ name }) => name);
    printTable([
      [...names, "FLOWS", ...this.#sums.map((sum) => sum.toUpperCase())],
      ...groups.map((group) => [
        ...this.#valuesOf(group).map((value) => value ?? "-"),
        count(table.flows[group] ?? 0),
        ...this.#sums.map((sum) => count(table[sum][group] ?? 0)),
      ]),
    ]);
  }

  #jsonOf(group: number): Readonly<Record<string, JsonScalar | null>> {
    const table = this.#table;
    const values = this.#valuesOf(group);
    return Object.fromEntries([
      ...this.#columns.map(({ name, part }, i) => [name, jsonOf(values[i], part)]),
      ["flows", table.flows[group]],
      ...this.#sums.map((sum) => [sum, table[sum][group]]),
    ]);
  }

  // The order of the groups: by the first sum, or by the number of flows; then by values.
  #inOrder(): number[] {
    const table = this.#table;
    const { flows } = table;
    const by = table[this.#sums[0] ?? "flows"];
    const more = (column: Float64Array, a: number, b: number): number =>
      (column[b] ?? 0) - (column[a] ?? 0);
    return Array.from({ length: table.size }, (_, group) => group).sort(
      (a, b) =>
        more(by, a, b) || more(flows, a, b) || Buffer.compare(table.nameOf(a), table.nameOf(b)),
    );
  }

  #nameOf(flow: FlowParts): TextSink {
    const name = this.#name.clear();
    // Columns do not depend on the time.
    const subject = this.#subject.set(flow, 0);
    for (const { print } of this.#columns) {
      if (!print(subject, name)) name.byte(UNMATCHED);
      name.byte(END);
    }
    return name;
  }

  /** The value of each column; null if it is not matched. */
  #valuesOf(group: number): (string | null)[] {
    const text = new TextDecoder().decode(this.#table.nameOf(group));
    const values = text.split(String.fromCharCode(END)).slice(0, -1);
    return values.map((value) => (value === String.fromCharCode(UNMATCHED) ? null : value));
  }
}

/** The value as in a JSON dump. */
function jsonOf(value: string | null | undefined, part: FlowColumn["part"]): JsonScalar | null {
  if (value === null || value === undefined) return null;
  return part === "actions" ? value : scalarOf(value);
}
