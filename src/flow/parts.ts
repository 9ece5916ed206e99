import { decodeKey, NO_MASK } from "./key/decode.ts";
import { normalize } from "./key/normal-form.ts";
import { KeyRecord } from "./key/record.ts";
import { writeUfid } from "./key/ufid.ts";

/** Where the payload of an attribute is; `start` is -1 where there is none. */
export type ByteRange = { readonly start: number; readonly end: number };

/** What a flow has seen. */
export type FlowStatistics = {
  readonly packets: number;
  readonly byteCount: number;
  /** Monotonic milliseconds at the last packet; 0 for never. */
  readonly usedMs: number;
  readonly tcpFlags: number;
};

/** A flow as the kernel dumps it: where its attributes' payloads are in `bytes`. */
export type FlowParts = FlowStatistics & {
  readonly bytes: Uint8Array;
  readonly ufid: ByteRange;
  readonly key: ByteRange;
  readonly mask: ByteRange;
  readonly actions: ByteRange;
};

/** What a flow matches. */
type Match = Pick<FlowParts, "bytes" | "key" | "mask">;

/**
 * Reads the key and the mask of a flow into `record`.
 * @returns false where they are not well formed
 */
export function readMatch({ bytes, key, mask }: Match, record: KeyRecord): boolean {
  const maskStart = mask.start < 0 ? NO_MASK : mask.start;
  return decodeKey(bytes, key.start, key.end, maskStart, mask.end, record);
}

const RECORD = new KeyRecord();

/**
 * Writes the hash of what a flow matches, 16 bytes at `at`: that is a UFID, whatever UFID it was put with.
 * @returns false where it cannot be read
 */
export function hashMatch(flow: Match, out: Int32Array, at: number): boolean {
  if (!readMatch(flow, RECORD)) return false;
  normalize(RECORD);
  writeUfid(RECORD, out, at);
  return true;
}
