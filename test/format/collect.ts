import { Packr } from "#msgpackr";
import { crc32 } from "node:zlib";
import { unpackFacts } from "../../src/format/flow-set/facts.ts";
import type { PortNames } from "../../src/flow/ports.ts";
import type { FlowFeed } from "../../src/format/feed.ts";
import { type FlowRefusal, Refusals } from "../../src/format/refusals.ts";
import { FlowSetCompiler, type LineFormat } from "../../src/format/flow-set/compile.ts";
import { FlowSetWriter } from "../../src/format/flow-set/writer.ts";
import { bytesSource, type ByteSource } from "../../src/format/source.ts";
import { Batch } from "../../src/netlink/batch.ts";
import { NLM_F_ACK } from "../../src/uapi/netlink.ts";
import { addFlags } from "../../src/netlink/message.ts";
import { FlowRequests } from "../../src/ovs/flow-requests.ts";

/** Ports that the tests' flows may name. */
export const PORTS: PortNames = {
  numberOf: (name) => ({ p1: 1, p2: 2, veth7: 7 })[name],
  nameOf: () => undefined,
};

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The output of a feed: its messages with their lines, and its refusals, in order. */
export type Collected = { readonly messages: string[]; readonly refusals: string[] };

/**
 * Pumps a feed to its end through a batch of `capacity` messages; keeps the output before an error.
 */
export async function collect(
  feed: FlowFeed,
  capacity = 1000,
  into: Collected = { messages: [], refusals: [] },
): Promise<Collected> {
  const requests = new FlowRequests(0x1234, 77, new Batch(capacity, 1 << 18));
  const refusals = new Refusals(Number.POSITIVE_INFINITY);
  const flush = ({ batch }: FlowRequests): void => {
    for (const { line, code, reason } of refusals.list) {
      into.refusals.push(`${line} ${code} ${reason}`);
    }
    refusals.clear();
    for (let i = 0; i < batch.count; i++) {
      const message = batch.memory.u8.slice(batch.starts[i], batch.starts[i + 1]);
      // The sequence number is that of the transactor.
      message.fill(0, 8, 12);
      // So are the flags that it adds.
      addFlags(batch.memory, batch.starts[i] ?? 0, NLM_F_ACK);
      into.messages.push(`${batch.tags[i]} ${Buffer.from(message).toString("hex")}`);
    }
    batch.clear();
  };
  try {
    for (;;) {
      for (let ready; (ready = feed.pump(requests, refusals)) !== undefined;) flush(ready);
      if (!(await feed.fill())) break;
    }
  } finally {
    flush(requests);
    feed.close();
  }
  return into;
}

/** Compiles lines, whatever a kernel says of them unless `judges` is set. */
export async function compile(
  text: string,
  format: LineFormat = "text",
  owner = "",
  judges = false,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; refusals: FlowRefusal[] }> {
  const records: Uint8Array[] = [];
  const refusals: FlowRefusal[] = [];
  const writer = new FlowSetWriter((record) => void records.push(record.slice()), owner);
  const source = bytesSource("lines", utf8(text));
  const refuse = (one: FlowRefusal): void => void refusals.push(one);
  const compiler = new FlowSetCompiler(source, format, writer, refuse, { judges });
  for (;;) if (!compiler.step() && !(await compiler.fill())) break;
  compiler.finish();
  return { bytes: new Uint8Array(Buffer.concat(records)), refusals };
}

/** As a pipe: it cannot be read twice, and comes in pieces of `size` bytes. */
export function pipeSource(bytes: Uint8Array, size = 1000): ByteSource {
  const source = bytesSource("pipe", bytes);
  const readPiece = async (buffer: Uint8Array, offset: number): Promise<number> => {
    await Promise.resolve();
    return source.read(buffer.subarray(0, Math.min(buffer.length, offset + size)), offset);
  };
  return { name: "pipe", size: undefined, read: readPiece, close: () => source.close() };
}

/** Where the records of a flow set begin, and at last where it ends. */
export function recordStarts(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const starts = [0];
  for (let at = 0; at < bytes.length;) starts.push((at += view.getUint32(at + 7)));
  return starts;
}

/** Makes all checksums right again: the work of a writer that is wrong on purpose. */
export function reseal(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let checksum = 0;
  const starts = recordStarts(bytes);
  for (let i = 0; i + 1 < starts.length; i++) {
    const [start = 0, end = 0] = starts.slice(i, i + 2);
    checksum = crc32(bytes.subarray(start + 6, end), checksum);
    view.setUint32(start + 2, checksum);
  }
}

/**
 * A set with other facts in a record, its first chunk by default, and right checksums: the work of a
 * hostile author.
 */
export function withFacts(
  bytes: Uint8Array,
  change: (facts: Readonly<Record<string, unknown>>) => object,
  record = 1,
): Uint8Array<ArrayBuffer> {
  const [first = 0, next = 0] = recordStarts(bytes).slice(record);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const facts = first + 16 + view.getUint32(first + 12);
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  const packed = packr.pack(change(unpackFacts(bytes.subarray(facts, next)) ?? {}));
  const unpadded = facts - first + packed.length + 1;
  const size = (unpadded + 7) & ~7;
  const padding = Buffer.alloc(size - unpadded + 1, 0x20);
  padding[0] = 0xa0 | (size - unpadded);
  const parts = [bytes.subarray(0, facts), packed, padding, bytes.subarray(next)];
  const changed = new Uint8Array(Buffer.concat(parts));
  new DataView(changed.buffer).setUint32(first + 7, size);
  reseal(changed);
  return changed;
}
