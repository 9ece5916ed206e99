import { KERNEL, type SocketCalls } from "../sys/socket-calls.ts";
import type { PartSender } from "../sys/send-thread.ts";

/*
 * `MILLRACE_TRACE=netlink`: every message that is sent or received is printed to standard error. Whether it is to
 * be is decided here, once; a socket that is not traced makes the kernel's calls themselves.
 */

const TRACER = process.env["MILLRACE_TRACE"] === "netlink" ? makeTracer() : undefined;

function makeTracer() {
  const { Tracer }: typeof import("./trace/tracer.ts") = require("./trace/tracer.ts");
  return new Tracer();
}

/** The system calls that sockets make. */
export const CALLS: SocketCalls = TRACER?.observe(KERNEL) ?? KERNEL;

/** The thread, traced where that is asked for: it makes its calls out of a socket's sight. */
export function tracedThread(thread: PartSender): PartSender {
  return TRACER?.observeThread(thread) ?? thread;
}
