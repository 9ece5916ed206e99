import type { Request } from "./wire.ts";

/** The system calls in which a fault may lie. */
export type FaultyCall = "send" | "writev" | "sendmmsg" | "recvmmsg" | "poll";

/** What a call does: returns an errno and nothing else, or moves only so many datagrams. */
export type CallFault = { readonly errno: number } | { readonly atMost: number };

/**
 * What goes wrong in a kernel in memory. Each member is asked where it could happen, and what it does not say goes
 * well. Netlink's own faults follow from a receive buffer that is small.
 */
export type Faults = {
  /** A system call that fails, or moves less than it could. */
  readonly call?: (call: FaultyCall) => CallFault | undefined;
  /** Bytes of a datagram that the kernel looks at; what is behind them vanishes in silence. */
  readonly reach?: (length: number) => number;
  /** Something happens before a request is carried out: another program changes a flow, say. */
  readonly before?: (request: Request) => void;
  /** An errno instead of carrying a request out. */
  readonly refuse?: (request: Request) => number | undefined;
  /** There is no memory for the reply to a request: the next read is ENOBUFS, and nothing is counted. */
  readonly noMemory?: (request: Request) => boolean;
  /** What comes of a reply: nothing, where it is lost in silence; several datagrams, where it is doubled. */
  readonly deliver?: (reply: Uint8Array, request: Request) => readonly Uint8Array[];
  /**
   * Something happens between two pieces of a dump of flows or other objects. Returns by how many objects the walk is
   * moved, since the table is hashed anew: some come twice where it is negative, some not at all where it is positive.
   */
  readonly betweenPieces?: (request: Request) => number;
  /** Whether the next piece of a dump says that what is dumped changed (NLM_F_DUMP_INTR). */
  readonly interrupts?: (request: Request) => boolean;
  /** Bytes that a piece of a dump may have; the kernel takes its least length where it has no memory for a long one. */
  readonly pieceBytes?: () => number | undefined;
};
