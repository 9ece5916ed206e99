import { describe, expect, test } from "bun:test";
import { FlowLineEncoder } from "../../../src/flow/line.ts";
import { onlyCreates, Segments } from "../../../src/load/settle/segments.ts";
import { Batch } from "../../../src/netlink/batch.ts";
import { FlowRequests } from "../../../src/ovs/flow-requests.ts";

/** A batch of lines. */
function batchOf(lines: readonly string[], ufid = true): Batch {
  const batch = new Batch(64, 64 << 10);
  const requests = new FlowRequests(30, 1, batch);
  const encoder = new FlowLineEncoder({ ufid });
  for (const [i, line] of lines.entries()) {
    const bytes = new TextEncoder().encode(line);
    requests.begin();
    encoder.encode(bytes, 0, bytes.length, i + 1, batch.writer);
    expect(requests.commit(encoder.verb, i + 1)).toBe(true);
  }
  return batch;
}

/** How many messages each segment has. */
function segmentsOf(batch: Batch, lookFirst = false): number[] {
  const segments = new Segments(batch.capacity);
  const found: number[] = [];
  for (let start = 0; start < batch.count;) {
    const end = segments.end(batch, start, lookFirst);
    found.push(end - start);
    start = end;
  }
  return found;
}

const A = "in_port(1),eth()";
const B = "in_port(2),eth()";
const UFID = "ufid:01020304-0506-0708-090a-0b0c0d0e0f10";

describe("a batch is cut", () => {
  test.each([true, false])("where a flow is looked at that it creates, by UFID: %p", (ufid) => {
    const cut = (...lines: string[]): number[] => segmentsOf(batchOf(lines, ufid));
    expect(cut(`${A} 1`, `${A} 2`, `add ${A} 3`)).toEqual([3]);
    expect(cut(`${A} 1`, `modify ${B} 2`, `delete ${B}`)).toEqual([3]);
    expect(cut(`${A} 1`, `delete ${A}`, `${A} 2`, `modify ${A} 1`)).toEqual([1, 2, 1]);
    expect(cut(`add ${A} 1`, `modify ${A}`)).toEqual([1, 1]);
    // What is only changed and deleted can be looked at beforehand.
    expect(cut(`modify ${A} 1`, `delete ${A}`, `modify ${A} 2`, `${A} 1`)).toEqual([4]);
  });

  test("where the flow has another name, too", () => {
    expect(segmentsOf(batchOf([`${UFID} ${A} 1`, `delete ${A}`]))).toEqual([1, 1]);
    expect(segmentsOf(batchOf([`${UFID} ${A} 1`, `delete ${UFID} ${B}`]))).toEqual([1, 1]);
    expect(segmentsOf(batchOf([`${UFID} ${A} 1`, `delete ${B}`]))).toEqual([2]);
  });

  test("at each flow that comes twice, where puts are looked at as well", () => {
    const lines = [`${A} 1`, `${B} 1`, `${A} 2`, `delete ${B}`, `${B} 2`];
    expect(segmentsOf(batchOf(lines), true)).toEqual([2, 2, 1]);
  });

  test("where a flow that is deleted by its key may have a UFID that is given later", () => {
    const lines = [`delete ${A}`, `${UFID} ${B} 1`];
    expect(segmentsOf(batchOf(lines, false), true)).toEqual([1, 1]);
    expect(segmentsOf(batchOf(lines), true)).toEqual([2]);
    // A put that is not looked up finds what is there when its turn comes.
    expect(segmentsOf(batchOf(lines, false))).toEqual([2]);
  });
});

test("a batch of puts and adds can be sent as it is", () => {
  expect(onlyCreates(batchOf([`${A} 1`, `add ${B} 1`]))).toBe(true);
  expect(onlyCreates(batchOf([`${A} 1`, `modify ${B} 1`]))).toBe(false);
  expect(onlyCreates(batchOf([`delete ${A}`]))).toBe(false);
});
