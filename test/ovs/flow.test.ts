import { expect, test } from "bun:test";
import type { FlowIdentity } from "../../src/flow/parts.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { putIdentity } from "../../src/ovs/flow.ts";
import { AssertionError } from "../../src/sys/errors.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(0xab);

/** What a request would name its flow by. */
function written(identity: FlowIdentity): string {
  const writer = new AttributeWriter(new PinnedMemory(256));
  putIdentity(writer, identity);
  return writer.memory.u8.subarray(0, writer.position).toHex();
}

test("what names one flow is written", () => {
  expect(written({ ufid: bytes(16) })).toBe(`14000900${"ab".repeat(16)}`);
  expect(written({ ufid: bytes(1) })).toBe("05000900ab000000");
  expect(written({ key: bytes(4) })).toBe("08000100abababab");
});

// As a DEL each of these would be a flush.
test.each([{ ufid: bytes(0) }, { ufid: bytes(17) }, { ufid: bytes(32) }, { key: bytes(0) }])(
  "what names none is not: %j",
  (identity) => {
    expect(() => written(identity)).toThrow(AssertionError);
  },
);
