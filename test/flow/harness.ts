import { expect } from "bun:test";
import { decodeKey } from "../../src/flow/key/decode.ts";
import { writeKey, writeMask } from "../../src/flow/key/encode.ts";
import { normalize } from "../../src/flow/key/normal-form.ts";
import { parseKey } from "../../src/flow/key/parse.ts";
import { printKey } from "../../src/flow/key/print.ts";
import { KeyRecord } from "../../src/flow/key/record.ts";
import { writeUfid } from "../../src/flow/key/ufid.ts";
import type { FlowLineOptions } from "../../src/flow/line.ts";
import { Cursor } from "../../src/flow/text/cursor.ts";
import { TextSink } from "../../src/flow/text/sink.ts";
import { FlowSyntaxError } from "../../src/flow/text/syntax-error.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";

/** How many runs a property has, and its seed: MILLRACE_PROPERTY_RUNS and MILLRACE_PROPERTY_SEED. */
export const PROPERTY: { numRuns: number; seed?: number } = propertyOptions();

function propertyOptions(): { numRuns: number; seed?: number } {
  const numRuns = Number(process.env["MILLRACE_PROPERTY_RUNS"] ?? 1000);
  const seed = process.env["MILLRACE_PROPERTY_SEED"];
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) };
}

export const encoder: TextEncoder = new TextEncoder();

/** Options of encoders that make other bytes of the same line. */
export const LINE_OPTIONS: readonly Pick<FlowLineOptions, "ufid" | "mode" | "owner">[] = [
  { ufid: true },
  { ufid: true, owner: "a controller" },
  { ufid: false },
  { ufid: true, mode: "modify" },
  { ufid: true, mode: "delete" },
  { ufid: false, mode: "delete" },
];

/** A key from text; the whole text has to be one. */
export function keyOf(text: string, record: KeyRecord = new KeyRecord()): KeyRecord {
  const bytes = encoder.encode(text);
  const cursor = new Cursor().reset(bytes, 0, bytes.length, 1);
  parseKey(cursor, record);
  expect(cursor.position).toBe(bytes.length);
  return record;
}

export function textOf(record: KeyRecord, verbose = false): string {
  const sink = new TextSink();
  printKey(record, sink, { verbose });
  return sink.toString();
}

/** Everything that a record holds, but for the order of its slots: for comparisons. */
export function contentOf(record: KeyRecord): unknown {
  return {
    present: [...record.present],
    bytes: Buffer.from(record.bytes).toString("hex"),
    mplsEntries: [...record.mplsEntries],
    unknown: record.unknown
      .map(({ level, type, key, mask }) => `${level} ${type} ${key.join()} ${mask.join()}`)
      .toSorted(),
  };
}

/** Key and mask as netlink attributes. */
type Encoded = { bytes: Uint8Array; keyEnd: number; maskEnd: number };

const memory = new PinnedMemory(1 << 18);
const writer = new AttributeWriter(memory);

/** The attributes of a record in normal form. */
export function encoded(record: KeyRecord): Encoded {
  writer.reset(0, memory.size);
  writeKey(record, writer);
  const keyEnd = writer.position;
  writeMask(record, writer);
  expect(writer.failed).toBe(false);
  return { bytes: memory.u8.slice(0, writer.position), keyEnd, maskEnd: writer.position };
}

export function decoded({ bytes, keyEnd, maskEnd }: Encoded): KeyRecord {
  const record = new KeyRecord();
  expect(decodeKey(bytes, 0, keyEnd, keyEnd, maskEnd, record)).toBe(true);
  return record;
}

export function normalized(record: KeyRecord): KeyRecord {
  normalize(record);
  return record;
}

export function ufidOf(record: KeyRecord): string {
  const words = new Int32Array(4);
  writeUfid(record, words, 0);
  return Buffer.from(words.buffer).toString("hex");
}

/** The syntax error that `run` throws; any other error, and none, is a failure. */
export function syntaxError(run: () => unknown): FlowSyntaxError {
  try {
    run();
  } catch (error) {
    if (error instanceof FlowSyntaxError) return error;
    throw error;
  }
  throw new Error("no FlowSyntaxError");
}
