/**
 * The layout of a flow set in a file; docs/flow-set.md describes it in full. A sequence of records,
 * each one MessagePack array of five:
 *
 *   byte  0     2          6  7         11 12          16
 *        | 95 ce | checksum | ce | bytes | c6 | length | messages … | facts … | padding |
 *
 * Sizes are fixed up to the messages, and every record is a multiple of eight bytes long, so that
 * all messages are aligned in a buffer that holds the file.
 */

/** The first fact of the header. */
export const FLOW_SET_FORMAT = "millrace flow set";

/** Changes with the layout, and with the hash of UFIDs. */
export const FLOW_SET_VERSION = 3;

/** The offset of the messages in a record. */
export const RECORD_PREFIX = 16;

/** The maximum length of a record; one that claims to be longer is damaged. */
export const RECORD_BYTES_MAX: number = 4 << 20;

/**
 * A chunk ends after this many flows. It is sent without a copy, so it has the best size for a
 * batch.
 */
export const CHUNK_FLOWS = 4096;

/** A chunk also ends after this many bytes of messages. */
export const CHUNK_BYTES: number = 1 << 20;

/** The first byte covered by the checksum, right after it. */
export const CHECKED_FROM = 6;

// Bytes of MessagePack at fixed places of a record.
export const ARRAY_5 = 0x95;
export const UINT_32 = 0xce;
export const BIN_32 = 0xc6;
/** A string of zero to seven blanks ends a record. */
export const PADDING = 0xa0;

/**
 * Bit of `nlmsg_pid` in a file: the flow has a given UFID, which is not a hash and is never left
 * out.
 */
export const MARK_OWN_UFID = 1;

/** The first record. */
export type FlowSetHeader = {
  readonly format: string;
  readonly version: number;
  readonly byteOrder: "little" | "big";
  /** The flows' owner, for whom their UFIDs are hashes; absent if they have none. */
  readonly owner?: string;
  /**
   * Absent if the lines of the messages ascend; `masks` if flows are sorted by how many share a
   * mask.
   */
  readonly order?: "masks";
};

/** The facts of a record about its messages. */
export type FlowSetChunkFacts = {
  readonly flows: number;
  /** Added to the sequence numbers of the messages, it gives their lines. */
  readonly line: number;
  /** Names of ports. */
  readonly names?: readonly string[];
  /**
   * Pairs: the index of a word of the messages, and the index of the name of the port whose number
   * belongs there.
   */
  readonly ports?: readonly number[];
  /** Pairs: packets and bytes of each flow. A load ignores them. */
  readonly counters?: readonly number[];
};

/** Optional facts of the last record. */
export type MoreEndFacts = {
  /** The facts of a snapshot about its datapath; `src/state/snapshot-facts.ts` reads them. */
  readonly snapshot?: unknown;
};

/** The last record. */
export type FlowSetEnd = MoreEndFacts & {
  readonly chunks: number;
  readonly flows: number;
  /** Lines of the input. */
  readonly lines: number;
};

/** The byte order of this machine, used by messages and the kernel's structures. */
export function byteOrder(): "little" | "big" {
  return new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? "little" : "big";
}

/** Whether bytes are the beginning of a flow set, possibly a damaged one. */
export function looksLikeFlowSet(bytes: Uint8Array): boolean {
  if (bytes[0] === ARRAY_5 && bytes[1] === UINT_32) return true;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64));
  return head.includes(FLOW_SET_FORMAT);
}
