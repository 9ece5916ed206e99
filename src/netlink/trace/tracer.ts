import { writeSync } from "node:fs";
import { EAGAIN, errnoName } from "../../sys/errno.ts";
import { type CallObserver, observedCalls } from "../../sys/observed-calls.ts";
import type { SocketCalls } from "../../sys/socket-calls.ts";
import { copyDatagrams } from "../../sys/vectors.ts";
import { NETLINK_GENERIC } from "../../uapi/netlink.ts";
import type { PartSender } from "../../sys/send-thread.ts";
import { MessageText } from "./message-text.ts";

/**
 * Prints what sockets send and receive, a few lines per message: `netlink 7 > …` is sent by socket
 * 7.
 */
export class Tracer implements CallObserver {
  readonly #text = new MessageText();
  readonly #protocols = new Map<number, number>();
  readonly #write: (lines: string) => void;

  /** @param write takes the lines; standard error by default */
  constructor(write: (lines: string) => void = (lines) => void writeSync(2, lines)) {
    this.#write = write;
  }

  /** The same calls, reported to this tracer. */
  observe(calls: SocketCalls): SocketCalls {
    return observedCalls(calls, this);
  }

  /** The same thread, whose calls are reported to this tracer after they were made. */
  observeThread(thread: PartSender): PartSender {
    let begun: Parameters<PartSender["begin"]> | undefined;
    return {
      begin: (...call) => {
        begun = call;
        thread.begin(...call);
      },
      wait: () => {
        const end = thread.wait();
        const [fd = -1, headers = 0, , replies = 0] = begun ?? [];
        if (end !== "made") return end;
        if (thread.sent < 0) this.onError(fd, "sendmmsg", -thread.sent);
        else for (const datagram of copyDatagrams(headers, thread.sent)) this.onSent(fd, datagram);
        for (const datagram of copyDatagrams(replies, Math.max(0, thread.received)))
          this.onReceived(fd, datagram);
        return end;
      },
      get sent() {
        return thread.sent;
      },
      get received() {
        return thread.received;
      },
    };
  }

  readonly onSocket = (fd: number, protocol: number): void => {
    this.#protocols.set(fd, protocol);
  };

  readonly onSent = (fd: number, datagram: Uint8Array): void => {
    this.#print(`netlink ${fd} > `, fd, datagram);
  };

  readonly onReceived = (fd: number, datagram: Uint8Array): void => {
    this.#print(`netlink ${fd} < `, fd, datagram);
  };

  readonly onError = (fd: number, call: string, errno: number): void => {
    // An empty socket is not worth a line.
    if (call === "recvmmsg" && errno === EAGAIN) return;
    this.#write(`netlink ${fd} ! ${call}: ${errnoName(errno)}\n`);
  };

  #print(prefix: string, fd: number, datagram: Uint8Array): void {
    const protocol = this.#protocols.get(fd) ?? NETLINK_GENERIC;
    const lines = this.#text.linesOf(datagram, protocol);
    // Attributes are indented below their message.
    const shown = lines.map((line) => (line.startsWith(" ") ? line : `${prefix}${line}`));
    this.#write(`${shown.join("\n")}\n`);
  }
}
