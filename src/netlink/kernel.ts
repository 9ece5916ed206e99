import type { SocketCalls } from "../sys/socket-calls.ts";

/** Answers netlink in place of the machine's kernel: a kernel in memory, see `millrace/testing`. */
export type NetlinkKernel = {
  /** The system calls of its sockets. */
  readonly calls: SocketCalls;
  /** Port ids of its open sockets. */
  readonly portIds: () => Set<number>;
};
