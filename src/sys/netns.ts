import { closeSync, openSync, statSync } from "node:fs";
import { EIO, errnoNumber } from "./errno.ts";
import { assert, MillraceError, SystemCallError } from "./errors.ts";
import * as libc from "./libc.ts";

// Network namespaces: held open, and entered for as long as a socket is opened.

const CLONE_NEWNET = 0x4000_0000;

/** Where iproute2 keeps the namespaces that have names (`ip netns add`). */
const NAMED = "/var/run/netns";

/** A network namespace: a name of `ip netns`, the path of a namespace file, or a process in it. */
export type NamespaceReference = string | number;

/**
 * A network namespace, held open: it lives as long as this object does. A socket belongs to the
 * namespace in which its thread was when it opened it, so {@link run} is all that is needed.
 */
export class NetworkNamespace implements Disposable {
  /** What it was opened by, for people. */
  readonly label: string;
  readonly #fd: number;
  #closed = false;

  private constructor(label: string, fd: number) {
    this.label = label;
    this.#fd = fd;
  }

  /**
   * @param reference a name, a path (with a slash in it), or the id of a process
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
   * A new namespace, with nothing but a loopback interface that is down; it is gone when it is closed.
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

  /** The descriptor, for requests that name a namespace by one. */
  get fd(): number {
    assert(!this.#closed, "the namespace is closed");
    return this.#fd;
  }

  /** Whether both are the same namespace of the kernel. */
  is(other: NetworkNamespace): boolean {
    const [mine, its] = [
      statSync(`/proc/self/fd/${this.fd}`),
      statSync(`/proc/self/fd/${other.fd}`),
    ];
    return mine.ino === its.ino && mine.dev === its.dev;
  }

  /**
   * Runs `inside` with the calling thread in the namespace, and brings the thread back. Synchronous:
   * a promise would go on in the namespace where it began, and everything else with it.
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

  /** Brings the calling thread into the namespace, to stay. @throws SystemCallError */
  enter(): void {
    enter(this.fd, this.label);
  }

  /** Closes its descriptor: the namespace goes on as long as something else holds it. */
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
