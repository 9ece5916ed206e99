import { KERNEL, type SocketCalls } from "../sys/socket-calls.ts";
import type { PartSender } from "../sys/send-thread.ts";

/**
 * `MILLRACE_TRACE=netlink` prints every message sent or received to standard error. This module
 * decides once whether to trace; an untraced socket makes the kernel's calls directly.
 */

const TRACER = process.env["MILLRACE_TRACE"] === "netlink" ? makeTracer() : undefined;

function makeTracer() {
  const { Tracer }: typeof import("./trace/tracer.ts") = require("./trace/tracer.ts");
  return new Tracer();
}

/** The system calls that sockets make. */
export const CALLS: SocketCalls = TRACER?.observe(KERNEL) ?? KERNEL;

/** The thread, traced if requested: its calls do not pass through a socket. */
export function tracedThread(thread: PartSender): PartSender {
  return TRACER?.observeThread(thread) ?? thread;
}
