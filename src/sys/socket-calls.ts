import { EINTR } from "./errno.ts";
import * as libc from "./libc.ts";

/**
 * The system calls that a netlink socket makes: the kernel's, or a test's, which script what they
 * return.
 */
export type SocketCalls = Pick<
  typeof libc,
  | "socket"
  | "close"
  | "connect"
  | "getsockname"
  | "setsockopt"
  | "getsockopt"
  | "send"
  | "writev"
  | "sendmmsg"
  | "recvmmsg"
  | "poll"
>;

/** The calls of the machine's kernel. */
export const KERNEL: SocketCalls = libc;

/**
 * The calls below move messages, and are repeated if a signal came before any was moved (EINTR).
 * Each returns the result of the last attempt.
 */

/** send(2) without flags. */
export function send(calls: SocketCalls, fd: number, address: number, length: number): number {
  for (;;) {
    const sent = calls.send(fd, address, length, 0);
    if (sent !== -EINTR) return sent;
  }
}

/** writev(2). */
export function writev(calls: SocketCalls, fd: number, iovecs: number, count: number): number {
  for (;;) {
    const written = calls.writev(fd, iovecs, count);
    if (written !== -EINTR) return written;
  }
}

/** sendmmsg(2) without flags. */
export function sendmmsg(calls: SocketCalls, fd: number, headers: number, count: number): number {
  for (;;) {
    const sent = calls.sendmmsg(fd, headers, count, 0);
    if (sent !== -EINTR) return sent;
  }
}

/** recvmmsg(2). */
export function recvmmsg(
  calls: SocketCalls,
  fd: number,
  headers: number,
  count: number,
  flags: number,
): number {
  for (;;) {
    const received = calls.recvmmsg(fd, headers, count, flags);
    if (received !== -EINTR) return received;
  }
}
