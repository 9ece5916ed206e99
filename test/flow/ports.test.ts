import { expect, test } from "bun:test";
import fc from "fast-check";
import { Flow } from "../../src/flow/flow.ts";
import { flowJsonToLine, lineToFlowJson } from "../../src/flow/json.ts";
import { isTextName, portNamesOf } from "../../src/flow/ports.ts";
import { FlowSyntaxError } from "../../src/flow/text/syntax-error.ts";
import { PROPERTY } from "./harness.ts";

/** Whether Linux takes it for the name of an interface (dev_valid_name in net/core/dev.c). */
function isInterfaceName(bytes: Uint8Array): boolean {
  const isSpace = (byte: number): boolean =>
    byte === 0x20 || (byte >= 9 && byte <= 13) || byte === 0xa0;
  const text = new TextDecoder().decode(bytes);
  if (text === "." || text === "..") return false;
  return !bytes.some((byte) => byte === 0 || byte === 0x2f || byte === 0x3a || isSpace(byte));
}

const WORDS = [
  "ct",
  "drop",
  "output",
  "action1",
  "userspace",
  "tnl_pop",
  "in_port",
  "0x",
  "0x1",
  "08",
  "7",
];
const piece = fc.oneof(
  fc.constantFrom(...WORDS, ...Array.from("0123456789abcdefx_.-+=#,(){}[]'\"\\|~!@$%^&*<>?;`")),
  fc.constantFrom("é", "\u3000", "\u2028", "\ufeff", "\ufffd", "\u0085", "\u0007", "\u007f"),
);
const name = fc
  .array(piece, { minLength: 1, maxLength: 12 })
  .map((pieces) => new TextEncoder().encode(pieces.join("")).slice(0, 15))
  .filter((bytes) => bytes.length > 0 && isInterfaceName(bytes))
  .map((bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));

/** The number that a text means by a name; undefined if it is not taken as a name. */
function read(text: string, ports = portNamesOf([])): string | undefined {
  try {
    return Flow.parse(text, { ports }).toString();
  } catch (error) {
    if (error instanceof FlowSyntaxError) return undefined;
    throw error;
  }
}

const flowOf = (port: string | number): string =>
  `in_port(${port}),eth(), actions:${port},userspace(pid=1,no_userdata,tunnel_out_port=${port})`;

test("a name that the reader takes for its port is printed, in text and JSON; another one is a number", () => {
  fc.assert(
    fc.property(name, (port) => {
      const here = portNamesOf([{ name: port, number: 60001 }]);
      const elsewhere = portNamesOf([{ name: port, number: 9 }]);
      const flow = Flow.parse(flowOf(60001));
      // All places in which text has a port, read one by one.
      const isRead = [
        read(`in_port(${port}),eth() 1`, here) === "in_port(60001),eth(), actions:1",
        read(`in_port(1),eth() output(${port})`, here) === "in_port(1),eth(), actions:60001",
        read(`in_port(1),eth() userspace(pid=1,tunnel_out_port=${port})`, here)?.includes(
          "port=60001",
        ) === true,
      ];
      const shown = flow.toString({ ports: here });
      const json = JSON.stringify(lineToFlowJson(shown));
      expect(isRead).toEqual([isTextName(port), isTextName(port), isTextName(port)]);
      expect([port, shown.includes(`in_port(${port})`)]).toEqual([port, isTextName(port)]);
      const wanted = flowOf(isTextName(port) ? 9 : 60001);
      expect(read(shown, elsewhere)).toBe(wanted);
      expect(read(flowJsonToLine(JSON.parse(json)), elsewhere)).toBe(wanted);
      if (!isTextName(port)) return;
      expect(JSON.parse(json)).toMatchObject({
        key: { in_port: port },
        actions: [{ output: port }, {}],
      });
    }),
    { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 5) },
  );
});

test("a port that is called as an action is one in JSON", () => {
  const ports = portNamesOf([{ name: "drop", number: 5 }]);
  const line = flowJsonToLine({ key: { in_port: 1, eth: {} }, actions: [{ output: "drop" }] });
  expect(read(line, ports)).toBe("in_port(1),eth(), actions:5");
});

test("text holds every name but a number, and what ends a name", () => {
  const held = [
    "5b45c61b307e_h",
    "7z",
    "0x",
    "0xeth",
    "1e3",
    "-1",
    "0.5",
    "ct",
    "a=b{c}",
    "\u00e9",
  ];
  const numbers = ["6", "08", "0x3", "0X3f"];
  const others = ["a#b", "c,d", "e)f", "(g", "h i", "j\u0007", "\ufffd", ""];
  expect(held.filter((port) => !isTextName(port))).toEqual([]);
  expect([...numbers, ...others].filter(isTextName)).toEqual([]);
});
