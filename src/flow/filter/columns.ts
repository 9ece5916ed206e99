import { printActions } from "../action/print.ts";
import { keyOffset, maskOffset } from "../key/record.ts";
import type { PortNames } from "../ports.ts";
import { COMMA } from "../text/ascii.ts";
import { Cursor } from "../text/cursor.ts";
import { isWild, printField } from "../text/field-print.ts";
import type { Field } from "../text/field.ts";
import type { TextSink } from "../text/sink.ts";
import { levelFinder } from "./field-test.ts";
import { fieldCalled, type FlowField, nearestField } from "./names.ts";
import type { Subject } from "./subject.ts";

/** A property by which flows are grouped. */
export type FlowColumn = {
  readonly name: string;
  /** The part of a flow that it needs. */
  readonly part: "match" | "actions";
  /**
   * Prints its value as in a flow's text.
   * @returns false if the flow does not match it: nothing was printed
   */
  readonly print: (subject: Subject, out: TextSink) => boolean;
};

/** Reads `FIELD,FIELD,…`; a FIELD may be `actions`. @throws FlowSyntaxError */
export function parseColumns(text: string, ports: PortNames | undefined): FlowColumn[] {
  const bytes = new TextEncoder().encode(text);
  const cursor = new Cursor().reset(bytes, 0, bytes.length, 1);
  const columns: FlowColumn[] = [];
  do {
    cursor.skipBlanks();
    columns.push(parseColumn(cursor, ports));
    cursor.skipBlanks();
  } while (cursor.take(COMMA));
  if (cursor.position < cursor.end) cursor.fail("a comma or the end");
  return columns;
}

function parseColumn(cursor: Cursor, ports: PortNames | undefined): FlowColumn {
  const start = cursor.position;
  const name = cursor.slice(start, cursor.tokenEnd());
  cursor.position = cursor.tokenEnd();
  if (name === "actions") return actionsColumn(ports);
  const field = fieldCalled(name);
  if (field === undefined) {
    return cursor.fail(
      "a field such as ipv4.dst, or actions",
      start,
      nearestField(name, ["actions"]),
    );
  }
  if (field.field === undefined) {
    return cursor.fail(`a field of ${name}: it has no value of its own`, start);
  }
  return fieldColumn(field, field.field, ports);
}

function actionsColumn(ports: PortNames | undefined): FlowColumn {
  return {
    name: "actions",
    part: "actions",
    print: ({ parts: { bytes, actions } }, out) => {
      printActions(out, bytes, actions.start, actions.end, ports);
      return true;
    },
  };
}

function fieldColumn(asked: FlowField, field: Field, ports: PortNames | undefined): FlowColumn {
  const levelIn = levelFinder(asked);
  const { slot } = asked.key;
  const style = { verbose: false, ports };
  return {
    name: asked.name,
    part: "match",
    print: (subject, out) => {
      const record = subject.match();
      const level = levelIn(record);
      if (level < 0 || isWild(field, record.bytes, maskOffset(level, slot))) return false;
      const [key, mask] = [keyOffset(level, slot), maskOffset(level, slot)];
      printField(out, field, record.bytes, key, mask, style);
      return true;
    },
  };
}
