import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { normalize } from "../../../src/flow/key/normal-form.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { copyFlow, type FlowParts, hashMatch, readMatch } from "../../../src/flow/parts.ts";
import { MatchNormalizer } from "../../../src/flow/shape/match-normalizer.ts";
import { writeMatch } from "../../../src/flow/write.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import { flowOf } from "../dumped-flow.ts";
import { Random, randomFlow } from "../rules/random.ts";
import { PROPERTY } from "../harness.ts";

const CORPUS = readFileSync(join(import.meta.dir, "../corpus/flows.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

const writer = new AttributeWriter(new PinnedMemory(1 << 17));

function written(write: () => void): string {
  writer.reset(0, writer.memory.size);
  write();
  return Buffer.from(writer.memory.u8.subarray(0, writer.position)).toString("hex");
}

/** The hash and the bytes of a match, each match by itself. */
function alone(flow: FlowParts): string | undefined {
  const hash = new Int32Array(4);
  const record = new KeyRecord();
  if (!hashMatch(flow, hash, 0) || !readMatch(flow, record)) return undefined;
  normalize(record);
  return `${hash.join()} ${written(() => void writeMatch(writer, record, "none"))}`;
}

function byForm(matches: MatchNormalizer, flow: FlowParts): string | undefined {
  if (!matches.read(flow)) return undefined;
  return `${matches.hash.join()} ${written(() => matches.write(writer))}`;
}

/** A flow as a kernel dumps it has more attributes than one as it is sent: those that are not matched. */
function flows(random: Random): FlowParts[] {
  const lines = [...CORPUS];
  for (let i = 0; i < PROPERTY.numRuns / 5; i++) lines.push(randomFlow(random));
  return lines.flatMap((line): FlowParts[] => {
    try {
      return [flowOf(line)];
    } catch {
      return [];
    }
  });
}

test("matches of one form have the normal form and the hash that each has by itself", () => {
  const seed = PROPERTY.seed ?? Date.now() % 1_000_000;
  const random = new Random(seed);
  const matches = new MatchNormalizer();
  let readable = 0;
  for (const flow of flows(random)) {
    const variants = [flow, flow];
    // Any bit of the key: most are values, and some decide the meaning of others.
    for (let left = 12; left > 0; left--) {
      const copy = copyFlow(flow);
      const { start, end } = left % 4 === 0 ? copy.mask : copy.key;
      for (let changes = 1 + random.below(3); changes > 0; changes--) {
        copy.bytes[start + random.below(Math.max(1, end - start))]! ^= 1 << random.below(8);
      }
      variants.push(copy);
    }
    for (const one of variants) {
      const wanted = alone(one);
      expect({ seed, found: byForm(matches, one) }).toEqual({ seed, found: wanted });
      if (wanted !== undefined) readable++;
    }
  }
  expect(readable).toBeGreaterThan(1000);
});

test("a key that the kernel finds its flow by stays as it was read", () => {
  const flow = flowOf("in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,frag=no) 1");
  const bytes = flow.bytes.slice();
  bytes[bytes.indexOf(10, flow.key.start) + 1] = 77;
  const matches = new MatchNormalizer();
  for (const one of [flow, { ...flow, bytes }, { ...flow, bytes }]) {
    expect(matches.read(one)).toBe(true);
    const kept = written(() => matches.write(writer, one));
    expect(kept).toContain(
      Buffer.from(one.bytes.subarray(one.key.start, one.key.end)).toString("hex"),
    );
    expect(written(() => matches.write(writer))).not.toContain("0a4d0000");
  }
});
