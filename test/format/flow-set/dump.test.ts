/** Flow sets of dumps: the same bytes as if each flow were written by itself. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { withoutPadding } from "../../../src/flow/action/padding.ts";
import { NO_OWNER } from "../../../src/flow/key/ufid.ts";
import { type FlowParts, hasGivenUfid } from "../../../src/flow/parts.ts";
import { writeFlow } from "../../../src/flow/write.ts";
import { FlowSetDump } from "../../../src/format/flow-set/dump.ts";
import { FlowSetWriter } from "../../../src/format/flow-set/writer.ts";
import { OVS_FLOW_ATTR_ACTIONS } from "../../../src/uapi/openvswitch.ts";
import { flowOf } from "../../flow/dumped-flow.ts";
import { PROPERTY } from "../../flow/harness.ts";
import { Random, randomFlow } from "../../flow/rules/random.ts";

const CORPUS = readFileSync(join(import.meta.dir, "../../flow/corpus/flows.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

function flows(): FlowParts[] {
  const random = new Random(PROPERTY.seed ?? Date.now() % 1_000_000);
  const lines = [...CORPUS];
  for (let i = 0; i < PROPERTY.numRuns / 2; i++) lines.push(randomFlow(random));
  const read = lines.flatMap((line): FlowParts[] => {
    try {
      return [flowOf(line)];
    } catch {
      return [];
    }
  });
  // Each form comes again, with its UFID, without, and with another one.
  return read.flatMap((flow) => [flow, withUfid(flow, 0), withUfid(flow, 16), withUfid(flow, 3)]);
}

/** The flow with a UFID of so many bytes. */
function withUfid(flow: FlowParts, length: number): FlowParts {
  if (length === 0) return { ...flow, ufid: { start: -1, end: -1 } };
  const bytes = new Uint8Array(((flow.bytes.length + 3) & ~3) + 16).fill(7);
  bytes.set(flow.bytes);
  const start = bytes.length - 16;
  return { ...flow, bytes, ufid: { start, end: start + length } };
}

function setOf(fill: (out: FlowSetWriter) => void): string {
  const pieces: Uint8Array[] = [];
  const out = new FlowSetWriter((bytes) => pieces.push(bytes.slice()));
  fill(out);
  return Buffer.concat(pieces).toString("hex");
}

/** As it would be without forms. */
function addAlone(out: FlowSetWriter, flow: FlowParts): boolean {
  const isWhole = flow.ufid.end - flow.ufid.start === 16;
  const kept = isWhole ? flow : { ...flow, ufid: { start: -1, end: -1 } };
  const { bytes, actions } = kept;
  if (actions.start < 0) return false;
  const writer = out.begin();
  if (writeFlow(writer, kept, NO_OWNER, false) === "malformed") return false;
  writer.bytes(OVS_FLOW_ATTR_ACTIONS, withoutPadding(bytes.slice(actions.start, actions.end)));
  const ownUfid = hasGivenUfid(kept);
  return out.commit({ verb: "put", line: out.flows + 1, ownUfid, ports: [] });
}

test("flows of one form, with given UFIDs, short ones and none", () => {
  const all = flows();
  expect(all.length).toBeGreaterThan(CORPUS.length * 2);
  let short = 0;
  const results: boolean[] = [];
  const fast = setOf((out) => {
    const dump = new FlowSetDump(out, undefined);
    for (const flow of all) results.push(dump.add(flow));
    dump.finish();
    short = dump.shortUfids;
  });
  const slow = setOf((out) => {
    for (const [i, flow] of all.entries()) expect(addAlone(out, flow)).toBe(results[i] === true);
    out.finish(out.flows);
  });
  expect(fast === slow).toBe(true);
  expect(short).toBeGreaterThan(0);
});
