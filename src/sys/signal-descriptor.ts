import { SystemCallError } from "./errors.ts";
import { close, eventfd, read, write } from "./libc.ts";
import { PinnedMemory } from "./memory.ts";

// A descriptor whose owner decides when it is readable.

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

const WORD = new PinnedMemory(8);

/** A descriptor that its owner makes readable or not; poll and epoll watch it like any other. */
export class SignalDescriptor {
  readonly fd: number;
  #raised = false;

  /** @throws SystemCallError */
  constructor() {
    this.fd = eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
    if (this.fd < 0) throw new SystemCallError("eventfd", -this.fd, "opening a socket in memory");
  }

  /** Makes it readable, or not. */
  set(raised: boolean): void {
    if (raised === this.#raised) return;
    this.#raised = raised;
    WORD.u32[0] = 1;
    WORD.u32[1] = 0;
    if (raised) write(this.fd, WORD.address, 8);
    else read(this.fd, WORD.address, 8);
  }

  close(): void {
    close(this.fd);
  }
}
