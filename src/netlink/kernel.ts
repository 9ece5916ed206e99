import type { SocketCalls } from "../sys/socket-calls.ts";

/** What answers netlink in the place of the machine's kernel: one in memory, see `millrace/testing`. */
export type NetlinkKernel = {
  /** The system calls of its sockets. */
  readonly calls: SocketCalls;
  /** Port ids of its sockets that are open. */
  readonly portIds: () => Set<number>;
};
