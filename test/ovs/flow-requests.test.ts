import { expect, test } from "bun:test";
import type { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { Batch } from "../../src/netlink/batch.ts";
import { type FlowVerb, verbOf } from "../../src/ovs/flow-request.ts";
import { FlowRequests } from "../../src/ovs/flow-requests.ts";
import { AssertionError } from "../../src/sys/errors.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
} from "../../src/uapi/openvswitch.ts";

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(1);

function commit(verb: FlowVerb, write: (writer: AttributeWriter) => void): Batch {
  const batch = new Batch(4, 4096);
  const requests = new FlowRequests(30, 7, batch);
  requests.begin();
  write(batch.writer);
  expect(requests.commit(verb, 1)).toBe(true);
  return batch;
}

// To the kernel, a DEL with neither is a flush, and a UFID of more than 16 bytes counts as none.
test.each([
  ["nothing", () => undefined],
  ["a UFID of no byte", (w: AttributeWriter) => w.bytes(OVS_FLOW_ATTR_UFID, bytes(0))],
  ["a UFID of 17 bytes", (w: AttributeWriter) => w.bytes(OVS_FLOW_ATTR_UFID, bytes(17))],
  ["an empty key", (w: AttributeWriter) => w.bytes(OVS_FLOW_ATTR_KEY, bytes(0))],
  ["a mask alone", (w: AttributeWriter) => w.bytes(OVS_FLOW_ATTR_MASK, bytes(8))],
  ["actions alone", (w: AttributeWriter) => w.bytes(OVS_FLOW_ATTR_ACTIONS, bytes(8))],
] as const)("a delete cannot be built of %s", (_, write) => {
  expect(() => commit("delete", write)).toThrow(AssertionError);
  // It is not kept, and the batch goes on.
  const batch = new Batch(4, 4096);
  const requests = new FlowRequests(30, 7, batch);
  requests.begin();
  write(batch.writer);
  expect(() => requests.commit("delete", 1)).toThrow("would flush");
  expect(batch.count).toBe(0);
});

test.each([1, 15, 16])("a delete by a UFID of %d bytes names a flow", (length) => {
  const batch = commit("delete", (w) => w.bytes(OVS_FLOW_ATTR_UFID, bytes(length)));
  expect([batch.count, verbOf(batch, 0)]).toEqual([1, "delete"]);
});

test("so does one by a key, and other verbs are the kernel's to judge", () => {
  const key = (w: AttributeWriter): void => w.bytes(OVS_FLOW_ATTR_KEY, bytes(4));
  expect(verbOf(commit("delete", key), 0)).toBe("delete");
  for (const verb of ["put", "add", "modify"] as const) {
    expect(
      verbOf(
        commit(verb, () => undefined),
        0,
      ),
    ).toBe(verb);
  }
});
