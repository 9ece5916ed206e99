import type { PortNames } from "../ports.ts";
import { CLOSE, DOT, OPEN } from "../text/ascii.ts";
import type { Cursor } from "../text/cursor.ts";
import type { Field } from "../text/field.ts";
import { PORT_MAX, parsePort } from "../text/port.ts";
import { nearestWord } from "../text/words.ts";
import { ACTION_NAMES, hasAction, hasOutput } from "./action-test.ts";
import { parseBytes, parseOwner, parsePackets, parseUfidTest, parseUsed } from "./counter-test.ts";
import { isEqual, isMatched, isCompared, isWithin, mayMeet } from "./field-test.ts";
import { parseFieldValue, sameWords } from "./field-value.ts";
import { fieldCalled, fieldsOf, type FlowField, nearestField } from "./names.ts";
import { type Operator, parseComparison, parseOperator } from "./operator.ts";
import type { Test } from "./subject.ts";

/** What a filter needs to look at. */
export type FilterNeeds = {
  /** The flow's key and mask. */
  match: boolean;
  actions: boolean;
  /** The flow's counters or its last use, which change without changing the flow. */
  counters: boolean;
  /** The current time. */
  clock: boolean;
};

/** Kinds of fields whose values have no meaningful order. */
const UNORDERED: ReadonlySet<Field["kind"]> = new Set(["flags", "frag", "hex"]);

/** The operators that all fields have. */
const OF_ALL: ReadonlySet<Operator> = new Set(["=", "!=", "in", "meets"]);

const EXPECTED_TEST = "a condition such as tcp.dst = 443";
const EXPECTED_END = '"and", "or" or the end';
const EXPECTED_CLOSE = '"and", "or" or a closing )';

/**
 * Reads a filter, see docs/filter.md: conditions with `not`, `and`, `or` and parentheses, in this order of binding.
 * @throws FlowSyntaxError
 */
export class FilterParser {
  readonly needs: FilterNeeds = {
    match: false,
    actions: false,
    counters: false,
    clock: false,
  };
  readonly #cursor: Cursor;
  readonly #ports: PortNames | undefined;

  /** @param cursor at the beginning of the filter, which goes to the end of the line */
  constructor(cursor: Cursor, ports: PortNames | undefined) {
    this.#cursor = cursor;
    this.#ports = ports;
  }

  parse(): Test {
    const test = this.#parseOr();
    if (this.#cursor.position < this.#cursor.end) this.#cursor.fail(EXPECTED_END);
    return test;
  }

  #parseOr(): Test {
    let test = this.#parseAnd();
    while (this.#takeWord("or")) {
      const [left, right] = [test, this.#parseAnd()];
      test = (subject) => left(subject) || right(subject);
    }
    return test;
  }

  #parseAnd(): Test {
    let test = this.#parseNot();
    while (this.#takeWord("and")) {
      const [left, right] = [test, this.#parseNot()];
      test = (subject) => left(subject) && right(subject);
    }
    return test;
  }

  #parseNot(): Test {
    let isNot = false;
    while (this.#takeWord("not")) isNot = !isNot;
    const test = this.#parseOne();
    return isNot ? (subject) => !test(subject) : test;
  }

  /** Reads one condition and the blanks after it. */
  #parseOne(): Test {
    const cursor = this.#cursor;
    cursor.skipBlanks();
    if (!cursor.take(OPEN)) {
      const test = this.#parseTest();
      this.#endTest();
      return test;
    }
    cursor.enter();
    const test = this.#parseOr();
    cursor.leave();
    cursor.expect(CLOSE, EXPECTED_CLOSE);
    cursor.skipBlanks();
    return test;
  }

  #parseTest(): Test {
    const cursor = this.#cursor;
    const start = cursor.position;
    const name = this.#name();
    cursor.skipBlanks();
    switch (name) {
      case "packets":
        this.needs.counters = true;
        return parsePackets(cursor);
      case "bytes":
        this.needs.counters = true;
        return parseBytes(cursor);
      case "used":
        this.needs.counters = this.needs.clock = true;
        return parseUsed(cursor);
      case "ufid":
        return parseUfidTest(cursor);
      case "owner":
        this.needs.match = true;
        return parseOwner(cursor);
      case "actions":
        this.needs.actions = true;
        return this.#parseActions();
      case "output":
        this.needs.actions = true;
        return this.#parseOutput();
      default: {
        this.needs.match = true;
        const field = fieldCalled(name);
        if (field !== undefined) return this.#parseField(field);
        const expected =
          name === "" ? EXPECTED_TEST : "a field such as ipv4.dst (docs/filter.md has them all)";
        return cursor.fail(expected, start, openFlowName(name) ?? nearestField(name, OTHER_NAMES));
      }
    }
  }

  #parseField(asked: FlowField): Test {
    const cursor = this.#cursor;
    const start = cursor.position;
    const operator = parseOperator(cursor);
    if (operator === undefined) return isMatched(asked);
    if (asked.field === undefined) {
      const fields = fieldsOf(asked.key.name);
      const some = fields.length > 0 ? `, or one of ${fields.join(", ")}` : "";
      return cursor.fail(`${asked.name} without a value${some}`, start);
    }
    if (UNORDERED.has(asked.field.kind) && !OF_ALL.has(operator)) {
      cursor.fail(`one of =, !=, in and meets: values of ${asked.name} have no order`, start);
    }
    return this.#parseValue(asked, asked.field, operator);
  }

  #parseValue(asked: FlowField, field: Field, operator: Operator): Test {
    const cursor = this.#cursor;
    const start = cursor.position;
    const value = parseFieldValue(cursor, field, this.#ports);
    if (operator === "=") return isEqual(asked, field, value);
    if (operator === "in") return isWithin(asked, value);
    if (operator === "meets") return mayMeet(asked, value);
    if (!sameWords(value.mask, value.full)) {
      cursor.fail(`a value without a mask after ${operator}`, start);
    }
    return isCompared(asked, field, operator, value);
  }

  #parseActions(): Test {
    const cursor = this.#cursor;
    if (!this.#takeWord("has")) cursor.fail('"has" and the name of an action');
    cursor.skipBlanks();
    const start = cursor.position;
    cursor.word();
    const name = cursor.wordText();
    if (!ACTION_NAMES.includes(name)) {
      cursor.fail("the name of an action, such as ct", start, nearestWord(ACTION_NAMES, name));
    }
    return hasAction(name);
  }

  #parseOutput(): Test {
    const cursor = this.#cursor;
    const start = cursor.position;
    if (parseComparison(cursor) !== "=") cursor.fail("= and a port", start);
    return hasOutput(parsePort(cursor, PORT_MAX, this.#ports));
  }

  // Reads a name: words with dots between them.
  #name(): string {
    const cursor = this.#cursor;
    const start = cursor.position;
    while (cursor.word() > 0 && cursor.take(DOT));
    return cursor.slice(start, cursor.position);
  }

  // Skips blanks and `word` if it is next and not the beginning of a longer word.
  #takeWord(word: string): boolean {
    const cursor = this.#cursor;
    cursor.skipBlanks();
    const start = cursor.position;
    cursor.word();
    const isIt = cursor.wordEnd - start === word.length && cursor.wordText() === word;
    if (!isIt) cursor.position = start;
    return isIt;
  }

  // Checks that a condition is followed by a blank, a parenthesis or the end.
  #endTest(): void {
    const cursor = this.#cursor;
    const end = cursor.position;
    cursor.skipBlanks();
    if (cursor.position > end || BLANKS.has(cursor.bytes[end - 1] ?? 0)) return;
    if (end < cursor.end && cursor.peek() !== CLOSE) {
      cursor.fail(cursor.depth > 0 ? EXPECTED_CLOSE : EXPECTED_END);
    }
  }
}

/** What a field of OpenFlow is called here, as of `nw_dst`. */
function openFlowName(name: string): string | undefined {
  const { openFlowField }: typeof import("../text/openflow.ts") = require("../text/openflow.ts");
  return openFlowField(name);
}

/** The bytes that may have been skipped after a value or a name. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Names that are not fields of the key. */
const OTHER_NAMES: readonly string[] = [
  "packets",
  "bytes",
  "used",
  "ufid",
  "owner",
  "actions",
  "output",
];
