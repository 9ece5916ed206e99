import { expect, test } from "bun:test";
import { countMessages, LINE_AT, MARKS_AT } from "../../../src/format/flow-set/messages.ts";
import { Batch } from "../../../src/netlink/batch.ts";
import type { FlowVerb } from "../../../src/ovs/flow-request.ts";
import { FlowRequests } from "../../../src/ovs/flow-requests.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
  OVS_KEY_ATTR_IN_PORT,
  OVS_KEY_ATTR_PRIORITY,
} from "../../../src/uapi/openvswitch.ts";

type Message = {
  readonly verb: FlowVerb;
  readonly line: number;
  /** Types of the key's attributes, of four bytes that are 0. */
  readonly key: readonly number[];
  readonly marks?: number;
};

/** What the messages of a chunk are taken for. */
function counted(...all: readonly Message[]): number {
  const batch = new Batch(8, 4096);
  const requests = new FlowRequests(0, 0, batch);
  for (const { verb, line, key, marks = 0 } of all) {
    const first = batch.bytes >> 2;
    requests.begin();
    const { writer } = batch;
    writer.bytes(OVS_FLOW_ATTR_UFID, new Uint8Array(16).fill(1));
    const nest = writer.nest(OVS_FLOW_ATTR_KEY);
    for (const type of key) writer.u32(type, 0);
    writer.endNest(nest);
    writer.endNest(writer.nest(OVS_FLOW_ATTR_MASK));
    if (verb !== "delete") writer.endNest(writer.nest(OVS_FLOW_ATTR_ACTIONS));
    expect(requests.commit(verb, line)).toBe(true);
    batch.memory.i32[first + LINE_AT] = line;
    batch.memory.i32[first + MARKS_AT] = marks;
  }
  return countMessages(batch.memory.i32, 0, batch.bytes >> 2, true);
}

const PRIORITY = [OVS_KEY_ATTR_PRIORITY];
const PORT = OVS_KEY_ATTR_IN_PORT;

test("a delete whose key is empty is none: without its UFID it would be a flush", () => {
  expect(counted({ verb: "delete", line: 0, key: PRIORITY })).toBe(1);
  expect(counted({ verb: "delete", line: 0, key: [] })).toBe(-1);
  expect(counted({ verb: "delete", line: 0, key: [PORT] })).toBe(1);
  expect(counted({ verb: "put", line: 0, key: [] })).toBe(1);
});

test("the lines of a chunk go up", () => {
  const at = (line: number): Message => ({ verb: "put", line, key: PRIORITY });
  expect(counted(at(0), at(1), at(5))).toBe(3);
  expect(counted(at(0), at(0))).toBe(-1);
  expect(counted(at(3), at(2))).toBe(-1);
  expect(counted(at(0), at(2), at(1))).toBe(-1);
});
