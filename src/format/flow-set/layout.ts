/*
 * How a flow set lies in a file; docs/flow-set.md tells it in full. A sequence of records, each one
 * MessagePack array of five:
 *
 *   byte  0     2          6  7         11 12          16
 *        | 95 ce | checksum | ce | bytes | c6 | length | messages … | facts … | padding |
 *
 * Sizes are fixed up to the messages, and every record is a multiple of eight bytes long, so that the
 * messages of all of them are aligned where a file is read as it lies.
 */

/** What the header says first. */
export const FLOW_SET_FORMAT = "millrace flow set";

/** Another layout, or another hash for UFIDs, has another version. */
export const FLOW_SET_VERSION = 3;

/** Where the messages of a record begin. */
export const RECORD_PREFIX = 16;

/** A record is no longer: what claims to be is damaged. */
export const RECORD_BYTES_MAX: number = 4 << 20;

/** A chunk is ended behind so many flows: it is sent as it lies, so it is as large as a batch that goes best. */
export const CHUNK_FLOWS = 4096;

/** Or behind so many bytes of messages. */
export const CHUNK_BYTES: number = 1 << 20;

/** Where the checksum begins to look: behind itself. */
export const CHECKED_FROM = 6;

// Bytes of MessagePack at fixed places of a record.
export const ARRAY_5 = 0x95;
export const UINT_32 = 0xce;
export const BIN_32 = 0xc6;
/** A string of none to seven blanks ends a record. */
export const PADDING = 0xa0;

/** Bit of `nlmsg_pid` in a file: the flow was given its UFID, which is no hash and is never left out. */
export const MARK_OWN_UFID = 1;

/** The first record. */
export type FlowSetHeader = {
  readonly format: string;
  readonly version: number;
  readonly byteOrder: "little" | "big";
  /** Whose flows they are, where they are somebody's: their UFIDs are hashes for that owner. */
  readonly owner?: string;
  /** Absent where the lines of the messages go up; `masks` where flows of few masks come before those of many. */
  readonly order?: "masks";
};

/** What a record says of its messages. */
export type FlowSetChunkFacts = {
  readonly flows: number;
  /** What the sequence numbers of the messages are added to, to become their lines. */
  readonly line: number;
  /** Names of ports. */
  readonly names?: readonly string[];
  /** Pairs: a word of the messages, and the index of the name of the port whose number goes there. */
  readonly ports?: readonly number[];
  /** Pairs: packets and bytes of each flow. Nothing is done with them when the set is loaded. */
  readonly counters?: readonly number[];
};

/** What the last record may say beside its counts. */
export type MoreEndFacts = {
  /** What a snapshot knows of the datapath; `src/state/snapshot-facts.ts` reads it. */
  readonly snapshot?: unknown;
};

/** The last record. */
export type FlowSetEnd = MoreEndFacts & {
  readonly chunks: number;
  readonly flows: number;
  /** Lines of the input. */
  readonly lines: number;
};

/** Byte order of this machine, in which messages and the kernel's own structures are. */
export function byteOrder(): "little" | "big" {
  return new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? "little" : "big";
}

/** Whether bytes are the beginning of a flow set, be it a damaged one. */
export function looksLikeFlowSet(bytes: Uint8Array): boolean {
  if (bytes[0] === ARRAY_5 && bytes[1] === UINT_32) return true;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64));
  return head.includes(FLOW_SET_FORMAT);
}
