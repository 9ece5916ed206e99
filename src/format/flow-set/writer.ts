import { Packr } from "#msgpackr";
import type { LineVerb } from "../../flow/line.ts";
import { decodeFlow, FLOW_BYTES_MAX, type FlowParts, newFlowParts } from "../../flow/parts.ts";
import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { Batch } from "../../netlink/batch.ts";
import { ATTRIBUTES_AT } from "../../ovs/flow-request.ts";
import { FlowRequests } from "../../ovs/flow-requests.ts";
import { assert } from "../../sys/errors.ts";
import * as L from "./layout.ts";
import { countMessages, hasWholeUfid, keyWords, LINE_AT, MARKS_AT } from "./messages.ts";

/** A place in a message for the number of a port. */
export type PortUse = {
  /** Its word, relative to the beginning of the message. */
  readonly word: number;
  readonly name: string;
};

/** The facts of a flow beyond its attributes. */
type FlowSetEntry = {
  readonly verb: LineVerb;
  /** Greater than the previous flow's, if the set has the order of the input. */
  readonly line: number;
  /** Whether it has a given UFID, which is not the hash of its key and mask. */
  readonly ownUfid: boolean;
  readonly ports: readonly PortUse[];
  /** Packets and bytes that it has handled; either all flows of a set have them or none. */
  readonly counters?: readonly [packets: number, bytes: number] | undefined;
};

/** Writes a flow set, record by record, in constant memory. The same flows give the same bytes. */
export class FlowSetWriter {
  flows = 0;
  chunks = 0;
  /** Bytes written. */
  bytes = 0;

  /** The flows' owner, for whom their UFIDs are hashes. */
  readonly owner: string;

  readonly #write: (bytes: Uint8Array) => void;
  readonly #packr = new Packr({ useRecords: false, variableMapSize: true });
  readonly #batch = new Batch(L.CHUNK_FLOWS, L.CHUNK_BYTES + FLOW_BYTES_MAX);
  readonly #requests = new FlowRequests(0, 0, this.#batch);
  #record = new Uint8Array(L.RECORD_PREFIX + L.CHUNK_BYTES + FLOW_BYTES_MAX);
  readonly #view = newFlowParts();
  #names: string[] = [];
  #ports: number[] = [];
  #counters: number[] = [];
  #checksum = 0;

  readonly #goingUp: boolean;

  /**
   * @param write takes bytes that are valid until it returns
   * @param order the order of the flows: that of the input, or another
   */
  constructor(write: (bytes: Uint8Array) => void, owner = "", order: "file" | "masks" = "file") {
    this.#write = write;
    this.owner = owner;
    this.#goingUp = order === "file";
    const header: L.FlowSetHeader = {
      format: L.FLOW_SET_FORMAT,
      version: L.FLOW_SET_VERSION,
      byteOrder: L.byteOrder(),
      ...(owner === "" ? {} : { owner }),
      ...(order === "file" ? {} : { order }),
    };
    this.#put(0, header);
  }

  /** Begins a flow; the caller appends its UFID, KEY, MASK and, if it has them, ACTIONS. */
  begin(): AttributeWriter {
    return this.#requests.begin();
  }

  /** Copies the current message. @returns its words, with its length set */
  copy(): Int32Array<ArrayBuffer> {
    const { memory, bytes, writer } = this.#batch;
    const copy = new Int32Array(memory.i32.subarray(bytes >> 2, writer.position >> 2));
    copy[0] = writer.position - bytes;
    return copy;
  }

  /** Whether the current message has a key that identifies it if it is sent without a UFID. */
  hasKey(): boolean {
    const first = this.#batch.bytes >> 2;
    return keyWords(this.#batch.memory.i32, first) > 0;
  }

  /** Whether the current message has a UFID of 16 bytes. */
  hasWholeUfid(): boolean {
    return hasWholeUfid(this.#batch.memory.i32, this.#batch.bytes >> 2);
  }

  /**
   * The current flow, as a kernel with its ports would read it.
   * @returns parts that are valid until the flow ends
   */
  flowWith(ports: readonly PortUse[]): FlowParts {
    const { memory, bytes, writer } = this.#batch;
    for (const { word } of ports) memory.i32[(bytes >> 2) + word] = 0;
    const start = bytes + ATTRIBUTES_AT * 4;
    decodeFlow({ bytes: memory.u8, view: memory.view, start, end: writer.position }, this.#view);
    return this.#view;
  }

  /**
   * Ends the flow.
   * @returns false, leaving the flow out, if it is longer than a netlink message can be
   */
  commit(entry: FlowSetEntry): boolean {
    const batch = this.#batch;
    const first = batch.bytes >> 2;
    const { i32 } = batch.memory;
    for (const { word } of entry.ports) i32[first + word] = 0;
    if (!this.#requests.commit(entry.verb, entry.line)) return false;
    i32[first + MARKS_AT] = entry.ownUfid ? L.MARK_OWN_UFID : 0;
    for (const { word, name } of entry.ports) {
      let index = this.#names.indexOf(name);
      if (index < 0) index = this.#names.push(name) - 1;
      this.#ports.push(first + word, index);
    }
    if (entry.counters !== undefined) this.#counters.push(...entry.counters);
    this.flows++;
    if (batch.full || batch.bytes >= L.CHUNK_BYTES) this.#flush();
    return true;
  }

  /**
   * Ends the set.
   * @param lines how many the input had
   * @param facts additional facts for the last record
   */
  finish(lines: number, facts: L.MoreEndFacts = {}): void {
    this.#flush();
    const end: L.FlowSetEnd = { chunks: this.chunks, flows: this.flows, lines, ...facts };
    this.#put(0, end);
  }

  #flush(): void {
    const batch = this.#batch;
    if (batch.count === 0) return;
    const line = this.#stampLines();
    const count = countMessages(batch.memory.i32, 0, batch.bytes >> 2, this.#goingUp);
    assert(count === batch.count, "a chunk holds whole messages in the order of their lines");
    this.#record.set(batch.memory.u8.subarray(0, batch.bytes), L.RECORD_PREFIX);
    const facts: L.FlowSetChunkFacts = { flows: batch.count, line };
    this.#put(batch.bytes, {
      ...facts,
      ...(this.#ports.length > 0 ? { names: this.#names, ports: this.#ports } : {}),
      ...(this.#counters.length > 0 ? { counters: this.#counters } : {}),
    });
    this.chunks++;
    this.#names = [];
    this.#ports = [];
    this.#counters = [];
    batch.clear();
  }

  // Writes the lines of the messages relative to the lowest, which it returns.
  #stampLines(): number {
    const { tags, starts, count, memory } = this.#batch;
    let lowest = tags[0] ?? 0;
    for (let i = 1; i < count; i++) lowest = Math.min(lowest, tags[i] ?? 0);
    for (let i = 0; i < count; i++)
      memory.i32[((starts[i] ?? 0) >> 2) + LINE_AT] = (tags[i] ?? 0) - lowest;
    return lowest;
  }

  // Writes a record whose messages are already in place.
  #put(messageBytes: number, facts: object): void {
    const packed = this.#packr.pack(facts);
    const unpadded = L.RECORD_PREFIX + messageBytes + packed.length + 1;
    const size = (unpadded + 7) & ~7;
    assert(size <= L.RECORD_BYTES_MAX, "a record is not too long");
    if (size > this.#record.length) {
      const longer = new Uint8Array(size);
      longer.set(this.#record.subarray(0, L.RECORD_PREFIX + messageBytes));
      this.#record = longer;
    }
    const record = this.#record;
    const view = new DataView(record.buffer);
    record[0] = L.ARRAY_5;
    record[1] = L.UINT_32;
    record[6] = L.UINT_32;
    view.setUint32(7, size);
    record[11] = L.BIN_32;
    view.setUint32(12, messageBytes);
    record.set(packed, L.RECORD_PREFIX + messageBytes);
    record[unpadded - 1] = L.PADDING | (size - unpadded);
    record.fill(0x20, unpadded, size);
    this.#checksum = Bun.hash.crc32(record.subarray(L.CHECKED_FROM, size), this.#checksum);
    view.setUint32(2, this.#checksum);
    this.bytes += size;
    this.#write(record.subarray(0, size));
  }
}
