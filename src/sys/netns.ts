import { closeSync, openSync, statSync } from "node:fs";
import { EIO, errnoNumber } from "./errno.ts";
import { assert, MillraceError, SystemCallError } from "./errors.ts";
import * as libc from "./libc.ts";

// Network namespaces, which are held open, and entered while a socket is opened.

const CLONE_NEWNET = 0x4000_0000;

/** Where iproute2 keeps named namespaces (`ip netns add`). */
const NAMED = "/var/run/netns";

/**
 * Names a network namespace: a name known to `ip netns`, the path of a namespace file, or the id of
 * a process in it.
 */
export type NamespaceReference = string | number;

/**
 * A network namespace, held open: it lives as long as this object. A socket belongs to the
 * namespace that its thread was in when it opened the socket, so {@link run} suffices.
 */
export class NetworkNamespace implements Disposable {
  /** The name or path by which it was opened, for messages. */
  readonly label: string;
  readonly #fd: number;
  #closed = false;

  private constructor(label: string, fd: number) {
    this.label = label;
    this.#fd = fd;
  }

  /**
   * @param reference a name, a path (contains a slash), or the id of a process
   * @throws MillraceError `NO_NAMESPACE`, `NO_PERMISSION`
   */
  static open(reference: NamespaceReference): NetworkNamespace {
    const path = pathOf(reference);
    return new NetworkNamespace(String(reference), openNamespace(path, String(reference)));
  }

  /** The namespace of the calling thread. */
  static current(): NetworkNamespace {
    return new NetworkNamespace("current", openNamespace(THREAD, "current"));
  }

  /**
   * A new namespace that holds only a loopback interface, which is down; closing it deletes the
   * namespace.
   * @throws SystemCallError EPERM without CAP_SYS_ADMIN
   */
  static create(): NetworkNamespace {
    using home = NetworkNamespace.current();
    const done = libc.unshare(CLONE_NEWNET);
    if (done < 0) throw new SystemCallError("unshare", -done, "making a network namespace");
    try {
      return new NetworkNamespace("new", openNamespace(THREAD, "new"));
    } finally {
      home.enter();
    }
  }

  /** The descriptor, for requests that name a namespace by its descriptor. */
  get fd(): number {
    assert(!this.#closed, "the namespace is closed");
    return this.#fd;
  }

  /** Whether both refer to the same namespace. */
  is(other: NetworkNamespace): boolean {
    const [mine, its] = [
      statSync(`/proc/self/fd/${this.fd}`),
      statSync(`/proc/self/fd/${other.fd}`),
    ];
    return mine.ino === its.ino && mine.dev === its.dev;
  }

  /**
   * Runs `inside` with the calling thread in the namespace, then moves the thread back. `inside`
   * must be synchronous: after an `await`, the thread is back in its own namespace.
   * @throws MillraceError `NO_PERMISSION`
   */
  run<T>(inside: () => T): T {
    using home = NetworkNamespace.current();
    enter(this.fd, this.label);
    try {
      return inside();
    } finally {
      enter(home.fd, home.label);
    }
  }

  /** Moves the calling thread into the namespace for good. @throws SystemCallError */
  enter(): void {
    enter(this.fd, this.label);
  }

  /** Closes its descriptor; the namespace lives on while something else holds it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const THREAD = "/proc/thread-self/ns/net";

function pathOf(reference: NamespaceReference): string {
  if (typeof reference === "number") {
    assert(Number.isInteger(reference) && reference > 0, "a process id is a positive number");
    return `/proc/${reference}/ns/net`;
  }
  return reference.includes("/") ? reference : `${NAMED}/${reference}`;
}

function openNamespace(path: string, label: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR") {
      const message = `there is no network namespace "${label}" (${path})`;
      throw new MillraceError("NO_NAMESPACE", message, { cause: error });
    }
    if (code === "EACCES" || code === "EPERM") {
      const message = `opening the network namespace "${label}" (${path}) is not permitted`;
      throw new MillraceError("NO_PERMISSION", message, { cause: error });
    }
    const doing = `opening the network namespace "${label}" (${path})`;
    throw new SystemCallError("open", errnoNumber(String(code)) ?? EIO, doing, { cause: error });
  }
}

function enter(fd: number, label: string): void {
  const done = libc.setns(fd, CLONE_NEWNET);
  if (done >= 0) return;
  throw new SystemCallError("setns", -done, `entering the network namespace "${label}"`);
}
