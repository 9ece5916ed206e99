import { dlopen, FFIType, toArrayBuffer, type Pointer } from "bun:ffi";
import { EINTR } from "./errno.ts";
import { assert, MillraceError } from "./errors.ts";
import { isPointer } from "./address.ts";

// ssize_t is declared as i32: Bun returns an i64 as a BigInt, and no call here moves 2 GiB.
const SYMBOLS = {
  __errno_location: { args: [], returns: FFIType.ptr },
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
  connect: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i32,
  },
  getsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
  send: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  writev: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
  sendmmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.u32, FFIType.i32], returns: FFIType.i32 },
  recvmmsg: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u32, FFIType.i32, FFIType.ptr],
    returns: FFIType.i32,
  },
  poll: { args: [FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  epoll_create1: { args: [FFIType.i32], returns: FFIType.i32 },
  epoll_ctl: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr],
    returns: FFIType.i32,
  },
  epoll_wait: {
    args: [FFIType.i32, FFIType.ptr, FFIType.i32, FFIType.i32],
    returns: FFIType.i32,
  },
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  eventfd: { args: [FFIType.u32, FFIType.i32], returns: FFIType.i32 },
  read: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i32 },
  write: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i32 },
  isatty: { args: [FFIType.i32], returns: FFIType.i32 },
  sysconf: { args: [FFIType.i32], returns: FFIType.i32 },
  setns: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  unshare: { args: [FFIType.i32], returns: FFIType.i32 },
} as const;

type Libc = ReturnType<typeof open>;

const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"] as const;

function open() {
  let cause: unknown;
  for (const name of LIBRARIES) {
    try {
      const { symbols } = dlopen(name, SYMBOLS);
      const location = symbols.__errno_location();
      assert(location !== null, "the C library has no errno");
      // errno is per thread, and so is this module: each Worker loads its own.
      return { symbols, errno: new Int32Array(toArrayBuffer(location, 0, 4)) };
    } catch (error) {
      cause ??= error;
    }
  }
  // bun:ffi gives the reason: no such file, or no room for compiled code if the address space is
  // limited.
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `millrace needs the C library of a Linux system (libc.so.6), and cannot call it: ${why}`;
  throw new MillraceError("NO_LIBC", message, { cause });
}

let opened: Libc | undefined;

// Opened on first use: importing millrace has no effect.
function libc(): Libc {
  opened ??= open();
  return opened;
}

function pointer(address: number): Pointer {
  assert(isPointer(address), "not an address");
  return address;
}

function isInt32(value: number): boolean {
  return (value | 0) === value;
}

// errno is read at once: the next call may change it.
function result(returned: number): number {
  if (returned >= 0) return returned;
  return -(libc().errno[0] ?? 0);
}

/*
 * Every function below returns what the system call returned, or the errno negated: a caller looks
 * at the sign. Addresses come from PinnedMemory, whose owner keeps it alive across the call.
 */

/** socket(2). */
export function socket(domain: number, type: number, protocol: number): number {
  assert(isInt32(domain) && isInt32(type) && isInt32(protocol), "socket arguments");
  return result(libc().symbols.socket(domain, type, protocol));
}

/** close(2). EINTR is not repeated: on Linux the descriptor is gone either way. */
export function close(fd: number): number {
  assert(isInt32(fd), "file descriptor");
  return result(libc().symbols.close(fd));
}

/** connect(2). */
export function connect(fd: number, address: number, length: number): number {
  return result(libc().symbols.connect(fd, pointer(address), length));
}

/** getsockname(2). `length` is the address of a socklen_t. */
export function getsockname(fd: number, address: number, length: number): number {
  return result(libc().symbols.getsockname(fd, pointer(address), pointer(length)));
}

/** setsockopt(2). */
export function setsockopt(
  fd: number,
  level: number,
  name: number,
  value: number,
  length: number,
): number {
  return result(libc().symbols.setsockopt(fd, level, name, pointer(value), length));
}

/** getsockopt(2). `length` is the address of a socklen_t. */
export function getsockopt(
  fd: number,
  level: number,
  name: number,
  value: number,
  length: number,
): number {
  return result(libc().symbols.getsockopt(fd, level, name, pointer(value), pointer(length)));
}

/** send(2). */
export function send(fd: number, address: number, length: number, flags: number): number {
  assert(isInt32(fd) && isInt32(length) && length >= 0 && isInt32(flags), "send arguments");
  return result(libc().symbols.send(fd, pointer(address), length, flags));
}

/** writev(2). `iovecs` is the address of `count` struct iovec, at most {@link iovMax} of them. */
export function writev(fd: number, iovecs: number, count: number): number {
  assert(isInt32(fd) && isInt32(count) && count > 0, "writev arguments");
  return result(libc().symbols.writev(fd, pointer(iovecs), count));
}

/** sendmmsg(2). `headers` is the address of `count` struct mmsghdr. Returns how many were sent. */
export function sendmmsg(fd: number, headers: number, count: number, flags: number): number {
  assert(isInt32(fd) && isInt32(count) && count > 0 && isInt32(flags), "sendmmsg arguments");
  return result(libc().symbols.sendmmsg(fd, pointer(headers), count, flags));
}

/** recvmmsg: do not wait. */
export const MSG_DONTWAIT = 0x40;
/** A received message was longer than its slot. */
export const MSG_TRUNC = 0x20;

/** recvmmsg(2) without its own time limit. Returns how many messages came. */
export function recvmmsg(fd: number, headers: number, count: number, flags: number): number {
  assert(isInt32(fd) && isInt32(count) && count > 0 && isInt32(flags), "recvmmsg arguments");
  return result(libc().symbols.recvmmsg(fd, pointer(headers), count, flags, null));
}

/**
 * poll(2). An interrupted poll returns 0, as after a timeout: the caller keeps its own deadline.
 */
export function poll(fds: number, count: number, timeoutMs: number): number {
  assert(isInt32(count) && count >= 0 && isInt32(timeoutMs), "poll arguments");
  const ready = result(libc().symbols.poll(pointer(fds), count, timeoutMs));
  return ready === -EINTR ? 0 : ready;
}

/** epoll_create1(2). */
export function epollCreate(flags: number): number {
  return result(libc().symbols.epoll_create1(flags));
}

/** epoll_ctl(2). `event` is the address of a struct epoll_event. */
export function epollControl(epoll: number, operation: number, fd: number, event: number): number {
  assert(isInt32(epoll) && isInt32(operation) && isInt32(fd), "epoll arguments");
  return result(libc().symbols.epoll_ctl(epoll, operation, fd, pointer(event)));
}

/** epoll_wait(2). `events` is the address of `count` struct epoll_event. An interrupted wait returns 0. */
export function epollWait(epoll: number, events: number, count: number, timeoutMs: number): number {
  assert(isInt32(epoll) && isInt32(count) && count > 0 && isInt32(timeoutMs), "epoll arguments");
  const ready = result(libc().symbols.epoll_wait(epoll, pointer(events), count, timeoutMs));
  return ready === -EINTR ? 0 : ready;
}

/** eventfd(2). */
export function eventfd(flags: number): number {
  return result(libc().symbols.eventfd(0, flags));
}

/** read(2). */
export function read(fd: number, address: number, length: number): number {
  assert(isInt32(fd) && isInt32(length) && length >= 0, "read arguments");
  return result(libc().symbols.read(fd, pointer(address), length));
}

/** write(2). */
export function write(fd: number, address: number, length: number): number {
  assert(isInt32(fd) && isInt32(length) && length >= 0, "write arguments");
  return result(libc().symbols.write(fd, pointer(address), length));
}

/** clock_gettime(2). `time` is the address of a struct timespec. */
export function clockGettime(clock: number, time: number): number {
  assert(isInt32(clock), "clock");
  return result(libc().symbols.clock_gettime(clock, pointer(time)));
}

/** setns(2). */
export function setns(fd: number, type: number): number {
  assert(isInt32(fd) && isInt32(type), "setns arguments");
  return result(libc().symbols.setns(fd, type));
}

/** unshare(2). */
export function unshare(flags: number): number {
  assert(isInt32(flags), "unshare flags");
  return result(libc().symbols.unshare(flags));
}

/** _SC_UIO_MAXIOV of glibc and musl. */
const SC_UIO_MAXIOV = 60;

/** POSIX promises this many iovecs (_XOPEN_IOV_MAX). */
const IOV_MAX_PROMISED = 16;

/** How many iovecs one writev takes (`max_iovs`), according to sysconf; at least 16. */
export function iovMax(): number {
  return Math.max(IOV_MAX_PROMISED, libc().symbols.sysconf(SC_UIO_MAXIOV));
}

/**
 * isatty(3): whether a descriptor is a terminal. `node:tty` can tell as well, but loads all of
 * Node's streams.
 */
export function isatty(fd: number): boolean {
  assert(isInt32(fd), "file descriptor");
  return libc().symbols.isatty(fd) === 1;
}
