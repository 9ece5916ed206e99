import { describe, expect, test } from "bun:test";
import { FlowLineEncoder } from "../../../src/flow/line.ts";
import { Independence } from "../../../src/load/send/independence.ts";
import { Batch } from "../../../src/netlink/batch.ts";
import { FlowRequests } from "../../../src/ovs/flow-requests.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
} from "../../../src/uapi/openvswitch.ts";

function flow(src: string, actions = "2"): string {
  return `in_port(1),eth(),eth_type(0x0800),ipv4(src=${src},proto=17,frag=no),udp() ${actions}`;
}

/** Whether the lines, cut in the middle, may be carried out in any order. */
function independent(lines: readonly string[], ufid = true): boolean {
  const batch = new Batch(Math.max(2, lines.length), 1 << 20);
  const requests = new FlowRequests(30, 1, batch);
  const encoder = new FlowLineEncoder({ ufid });
  for (const line of lines) {
    const bytes = new TextEncoder().encode(line);
    requests.begin();
    expect(encoder.encode(bytes, 0, bytes.length, 1, batch.writer)).toBe(true);
    expect(requests.commit(encoder.verb, 1)).toBe(true);
  }
  return new Independence(batch.capacity).holds(batch, lines.length >> 1);
}

const many = Array.from({ length: 4096 }, (_, i) => flow(`10.1.${i >> 8}.${i & 255}`));

describe("flows of one mask", () => {
  test("are independent while their keys differ", () => {
    expect(independent(many)).toBe(true);
    expect(independent(many, false)).toBe(true);
    expect(independent(many.map((line) => `delete ${line.replace(/ 2$/, "")}`))).toBe(true);
  });

  test("depend on one another where a key is in both parts", () => {
    for (const ufid of [true, false]) {
      const twice = [...many.slice(0, -1), flow("10.1.0.7", "3")];
      expect(independent(twice, ufid)).toBe(false);
    }
  });

  test("may have a key twice in one part: the order in it is kept", () => {
    expect(
      independent([flow("10.0.0.1"), flow("10.0.0.1", "3"), flow("10.0.0.2"), flow("10.0.0.3")]),
    ).toBe(true);
  });

  test("depend on one another where a UFID is in both parts", () => {
    const [one, other] = [flow("10.0.0.1"), flow("10.0.0.2")];
    const ufid = "ufid:01020304-0506-0708-090a-0b0c0d0e0f10";
    expect(independent([`${ufid},${one}`, `${ufid},${other}`])).toBe(false);
  });

  test("depend on one another where a key goes by two UFIDs", () => {
    const line = flow("10.0.0.1");
    const ufid = "ufid:01020304-0506-0708-090a-0b0c0d0e0f10";
    expect(independent([`${ufid},${line}`, line])).toBe(false);
  });
});

test("flows of different masks may overlap", () => {
  expect(independent([flow("10.0.0.1"), flow("10.0.1.0/24")])).toBe(false);
  expect(independent([...many, flow("11.0.0.0/8")])).toBe(false);
});

test("a put and a delete of the same flow keep their order", () => {
  expect(independent([flow("10.0.0.1"), `delete ${flow("10.0.0.1").replace(/ 2$/, "")}`])).toBe(
    false,
  );
});

test("a length that no attribute has ends the search for one", () => {
  const batch = new Batch(2, 4096);
  const requests = new FlowRequests(30, 1, batch);
  for (const length of [3, 2, 1, 0]) {
    batch.clear();
    for (const key of [1, 2]) {
      requests.begin();
      const { writer } = batch;
      writer.u32(OVS_FLOW_ATTR_KEY, key);
      // Behind the bytes that are no attribute stand masks, which the kernel never sees.
      const at = writer.reserve(OVS_FLOW_ATTR_ACTIONS, 0) >> 2;
      writer.u32(OVS_FLOW_ATTR_MASK, key);
      writer.memory.u32[at - 1] = (OVS_FLOW_ATTR_ACTIONS << 16) | length;
      expect(requests.commit("put", key)).toBe(true);
    }
    expect([length, new Independence(2).holds(batch, 1)]).toEqual([length, true]);
  }
});
