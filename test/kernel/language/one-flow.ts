import { Flow } from "../../../src/flow/flow.ts";
import { completeKey } from "../../../src/flow/key/complete.ts";
import { decodeKey } from "../../../src/flow/key/decode.ts";
import { writeKey, writeMask } from "../../../src/flow/key/encode.ts";
import { matchesIpv6 } from "../../../src/flow/key/redundant-headers.ts";
import { normalize } from "../../../src/flow/key/normal-form.ts";
import { LEVELS } from "../../../src/flow/key/levels.ts";
import { KeyRecord, keyOffset, maskOffset } from "../../../src/flow/key/record.ts";
import { SIZE_OF_SLOT } from "../../../src/flow/key/table.ts";
import {
  SLOT_CT_TUPLE4,
  SLOT_CT_TUPLE6,
  SLOT_ICMPV6,
  SLOT_IPV4,
  SLOT_IPV6,
  SLOT_IPV6_EXTHDRS,
  SLOT_TUNNEL,
} from "../../../src/flow/key/slots.ts";
import * as T from "../../../src/flow/key/tunnel-fields.ts";
import { writeUfid } from "../../../src/flow/key/ufid.ts";
import type { PortNames } from "../../../src/flow/ports.ts";
import type { ByteRange, FlowParts } from "../../../src/flow/parts.ts";
import { printFlow } from "../../../src/flow/print.ts";
import { FlowRejectedError } from "../../../src/flow/rules/errors.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { ConnectionCache } from "../../../src/load/send/connection.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { dumpFlows, flushFlows } from "../../../src/ovs/flow.ts";
import { sendOne } from "../../../src/one-flow.ts";
import { errnoName } from "../../../src/sys/errno.ts";
import { NotSupportedError } from "../../../src/sys/errors.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import type { TestDatapath } from "../lab.ts";

/** A flow's attributes, in hexadecimal: two flows are the same to a kernel if these are. */
type RawFlow = {
  readonly ufid: string;
  readonly key: string;
  readonly mask: string;
  readonly actions: string;
};

const memory = new PinnedMemory(256 << 10);
const writer = new AttributeWriter(memory);

function hexOf(bytes: Uint8Array, { start, end }: ByteRange): string {
  return start < 0 ? "absent" : bytes.subarray(start, end).toHex();
}

/** A line of text as a kernel would have it back. @throws FlowSyntaxError */
export function flowOf(line: string, ports?: PortNames): RawFlow {
  return recomputed(Flow.parse(line, ports === undefined ? {} : { ports }).parts);
}

/** What millrace makes of key and mask: their normal form, what a kernel dumps of it, and its UFID. */
function recomputed(view: FlowParts): RawFlow {
  const record = new KeyRecord();
  const { bytes, key, mask } = view;
  if (!decodeKey(bytes, key.start, key.end, mask.start, mask.end, record)) {
    throw new Error(`not decoded: key ${hexOf(bytes, key)} mask ${hexOf(bytes, mask)}`);
  }
  normalize(record);
  const words = new Int32Array(4);
  writeUfid(record, words, 0);
  showMasked(record);
  removeHidden(record);
  writer.reset(0, memory.size);
  writeKey(record, writer);
  const keyEnd = writer.position;
  writeMask(record, writer);
  return {
    ufid: new Uint8Array(words.buffer).toHex(),
    key: memory.u8.subarray(0, keyEnd).toHex(),
    mask: memory.u8.subarray(keyEnd, writer.position).toHex(),
    actions: hexOf(bytes, view.actions),
  };
}

/** A flow that the kernel holds, as it dumped it. */
export class HeldFlow {
  readonly raw: RawFlow;
  /** As millrace reads it back. */
  readonly own: RawFlow;
  readonly text: string;
  readonly verbose: string;

  constructor(view: FlowParts) {
    const { bytes } = view;
    this.raw = {
      ufid: hexOf(bytes, view.ufid),
      key: hexOf(bytes, view.key),
      mask: hexOf(bytes, view.mask),
      actions: hexOf(bytes, view.actions),
    };
    this.own = recomputed(view);
    this.text = printed(view, false);
    this.verbose = printed(view, true);
  }
}

/**
 * Removes what a kernel matches and does not dump: tuples whose protocol is zero, extension headers of
 * what is not IPv6, Geneve options that are none, and the family of a tunnel without any address.
 */
function removeHidden(record: KeyRecord): void {
  const { bytes } = record;
  for (const [slot, proto] of TUPLES) {
    if (record.has(0, slot) && bytes[keyOffset(0, slot) + proto] === 0) record.remove(0, slot);
  }
  if (!matchesIpv6(record)) record.remove(0, SLOT_IPV6_EXTHDRS);
  if (!record.has(0, SLOT_TUNNEL)) return;
  const view = new DataView(bytes.buffer, keyOffset(0, SLOT_TUNNEL));
  let present = view.getUint32(T.TUNNEL_PRESENT, true);
  if (view.getUint16(T.TUNNEL_OPTIONS_LENGTH, true) === 0) present &= ~T.TUNNEL_HAS_GENEVE;
  const mask = maskOffset(0, SLOT_TUNNEL);
  if (bytes.subarray(mask + 16, mask + 56).every((byte) => byte === 0)) {
    present &= ~(T.TUNNEL_HAS_DST | T.TUNNEL_HAS_DST6);
  }
  view.setUint32(T.TUNNEL_PRESENT, present, true);
}

/** Sends what the text calls for, and shows what is left under masks: with the headers that this calls for. */
function showMasked(record: KeyRecord): void {
  for (let level = 0; level < LEVELS; level++) {
    for (const slot of [SLOT_IPV4, SLOT_IPV6, SLOT_ICMPV6]) {
      const [key, mask] = [keyOffset(level, slot), maskOffset(level, slot)];
      for (let i = 0; i < SIZE_OF_SLOT[slot]!; i++)
        record.bytes[key + i]! &= record.bytes[mask + i]!;
    }
  }
  completeKey(record);
}

const TUPLES = [
  [SLOT_CT_TUPLE4, 12],
  [SLOT_CT_TUPLE6, 36],
] as const;

function printed(view: FlowParts, verbose: boolean): string {
  const out = new TextSink();
  if (!printFlow(view, new KeyRecord(), out, { verbose, statistics: false }, 0)) return "nothing";
  return out.toString();
}

/** Puts one flow at a time into a separate datapath, and reads it back. */
export class OneFlow implements Disposable {
  readonly #dp: TestDatapath;
  // One socket and one arena for all: fresh memory for each flow would take ten times as long as the flow.
  readonly #connections = new ConnectionCache();

  constructor(dp: TestDatapath) {
    this.#dp = dp;
  }

  /** @returns the errno's name if the kernel refuses it @throws FlowSyntaxError */
  put(line: string): string | undefined {
    try {
      sendOne({ datapath: this.#dp.handle, connections: this.#connections }, line, "put");
      return undefined;
    } catch (error) {
      const rejected = error instanceof NotSupportedError ? error.cause : error;
      if (!(rejected instanceof FlowRejectedError)) throw error;
      return errnoName(rejected.errno);
    }
  }

  /** The flows that the kernel holds. */
  held(): readonly HeldFlow[] {
    return Array.from(dumpFlows(this.#dp.handle), (view) => new HeldFlow(view));
  }

  flush(): void {
    flushFlows(this.#dp.handle);
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]();
  }
}
