import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeReader } from "../../src/netlink/attribute-reader.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";

type Node = { type: number; payload: Uint8Array } | { type: number; nest: Node[] };

const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      type: fc.integer({ min: 1, max: 200 }),
      payload: fc.uint8Array({ maxLength: 40 }),
    }),
    fc.record({
      type: fc.integer({ min: 1, max: 200 }),
      nest: fc.array(tie("node"), { maxLength: 4 }),
    }),
  ),
}));

function write(writer: AttributeWriter, item: Node): void {
  if ("payload" in item) return writer.bytes(item.type, item.payload);
  const mark = writer.nest(item.type);
  for (const inner of item.nest) write(writer, inner);
  writer.endNest(mark);
}

function read(bytes: Uint8Array, start: number, end: number, shape: readonly Node[]): Node[] {
  const reader = new AttributeReader().reset(bytes, start, end);
  const found: Node[] = [];
  while (reader.next()) {
    const expected = shape[found.length];
    const stop = reader.start + reader.length;
    if (expected !== undefined && "nest" in expected) {
      found.push({ type: reader.type, nest: read(bytes, reader.start, stop, expected.nest) });
    } else {
      found.push({ type: reader.type, payload: bytes.slice(reader.start, stop) });
    }
  }
  expect(reader.malformed).toBe(false);
  return found;
}

describe("attributes", () => {
  test("what is written is read", () => {
    const writer = new AttributeWriter(new PinnedMemory(1 << 18));
    writer.memory.u8.fill(0xff);
    fc.assert(
      fc.property(fc.array(node, { maxLength: 6 }), (nodes) => {
        writer.reset(0, writer.memory.size);
        for (const item of nodes) write(writer, item);
        expect(writer.failed).toBe(false);
        expect(writer.position % 4).toBe(0);
        expect(read(writer.memory.u8, 0, writer.position, nodes)).toEqual(nodes);
      }),
    );
  });

  test("a write that does not fit fails once and for all, and is undone", () => {
    const writer = new AttributeWriter(new PinnedMemory(4096));
    writer.reset(0, 20);
    writer.u32(1, 7);
    const mark = writer.position;
    writer.u64(2, 1, 1);
    writer.u32(2, 1);
    expect(writer.failed).toBe(true);
    writer.rollback(mark);
    writer.u32(3, 9);
    expect(writer.failed).toBe(false);
    expect([...writer.memory.u8.subarray(0, 16)]).toEqual([
      8, 0, 1, 0, 7, 0, 0, 0, 8, 0, 3, 0, 9, 0, 0, 0,
    ]);
  });

  test("byte order is what the name says, and padding is zero", () => {
    const writer = new AttributeWriter(new PinnedMemory(4096));
    writer.memory.u8.fill(0xaa);
    writer.be16(1, 0x1234);
    writer.be32(2, 0x12345678);
    writer.u16(3, 0x1234);
    writer.u8(4, 5);
    writer.string(5, "abcd");
    writer.flag(6);
    expect(Buffer.from(writer.memory.u8.subarray(0, writer.position)).toString("hex")).toBe(
      "06000100" +
        "12340000" +
        "08000200" +
        "12345678" +
        "06000300" +
        "34120000" +
        "05000400" +
        "05000000" +
        "09000500" +
        "6162636400000000" +
        "04000600",
    );
  });

  test("a reader never leaves its bytes, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const reader = new AttributeReader().reset(bytes, 0, bytes.length);
        let steps = 0;
        while (reader.next()) {
          expect(reader.start + reader.length).toBeLessThanOrEqual(bytes.length);
          expect(++steps).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });
});
