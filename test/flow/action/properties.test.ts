import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { percentText } from "../../../src/flow/action/percent.ts";
import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import { PROPERTY } from "../harness.ts";
import { actionList } from "./random.ts";
import { actionsText, encodeActions, hex } from "./support.ts";

test("what is printed reads back to the same bytes, and prints the same", () => {
  fc.assert(
    fc.property(actionList, (text) => {
      const bytes = encodeActions(text);
      const printed = actionsText(bytes);
      const again = encodeActions(printed);
      expect(hex(again)).toBe(hex(bytes));
      expect(actionsText(again)).toBe(printed);
    }),
    PROPERTY,
  );
});

/** Attributes, well formed or nearly, with the types and payloads of actions. */
const attributes: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 27 }),
      fc.oneof(
        fc.uint8Array({ maxLength: 48 }),
        // Payloads that are attributes themselves.
        fc
          .array(fc.tuple(fc.integer({ min: 0, max: 33 }), fc.uint8Array({ maxLength: 41 })), {
            maxLength: 4,
          })
          .map((inner) => join(inner)),
      ),
    ),
    { maxLength: 5 },
  )
  .map(join);

function join(all: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const bytes: number[] = [];
  for (const [type, payload] of all) {
    const length = payload.length + 4;
    bytes.push(length & 0xff, length >> 8, type, 0, ...payload);
    while (bytes.length % 4 !== 0) bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

test("any attributes print as text that reads back to them, but for what is one to a kernel", () => {
  fc.assert(
    fc.property(attributes, (bytes) => {
      const printed = actionsText(bytes);
      const again = encodeActions(printed);
      // The order of members, and SET_MASKED of all bits, may change; the text then does not.
      expect(actionsText(again)).toBe(printed);
      expect(hex(encodeActions(actionsText(again)))).toBe(hex(again));
    }),
    { ...PROPERTY, numRuns: PROPERTY.numRuns * 3 },
  );
});

test("random bytes never crash the printer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(actionsText(bytes).length).toBeGreaterThan(0);
    }),
    { ...PROPERTY, numRuns: PROPERTY.numRuns * 3 },
  );
});

test("mutated text is read, or is a FlowSyntaxError with a column in it", () => {
  const mutation = fc.record({
    at: fc.nat(),
    drop: fc.integer({ min: 0, max: 6 }),
    put: fc.string({ maxLength: 4 }),
  });
  fc.assert(
    fc.property(actionList, fc.array(mutation, { minLength: 1, maxLength: 3 }), (text, all) => {
      let mutated = text;
      for (const { at, drop, put } of all) {
        const from = at % (mutated.length + 1);
        mutated = mutated.slice(0, from) + put + mutated.slice(from + drop);
      }
      try {
        encodeActions(mutated);
      } catch (error) {
        if (!(error instanceof FlowSyntaxError)) throw error;
        const bytes = new TextEncoder().encode(mutated).length;
        expect(error.column).toBeGreaterThanOrEqual(1);
        expect(error.column).toBeLessThanOrEqual(bytes + 1);
      }
    }),
    { ...PROPERTY, numRuns: PROPERTY.numRuns * 3 },
  );
});

test("every probability has a percentage that comes back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (probability) => {
      const text = `sample(sample=${percentText(probability)}%,actions(1))`;
      const bytes = encodeActions(text);
      expect(new DataView(bytes.buffer).getUint32(8, true)).toBe(probability);
      expect(actionsText(bytes)).toBe(text);
    }),
    { ...PROPERTY, numRuns: PROPERTY.numRuns * 5 },
  );
});
