import type { SocketCalls } from "./socket-calls.ts";
import { copyAt } from "./address.ts";
import { copyDatagrams, copyIovecs } from "./vectors.ts";

/** Observes the system calls of sockets. Datagrams are copies. */
export type CallObserver = {
  readonly onSocket: (fd: number, protocol: number) => void;
  readonly onSent: (fd: number, datagram: Uint8Array) => void;
  readonly onReceived: (fd: number, datagram: Uint8Array) => void;
  /** Called for a call that moved nothing, with its name. */
  readonly onError: (fd: number, call: string, errno: number) => void;
};

/** The same calls, each reported to the observer after it was made. */
export function observedCalls(calls: SocketCalls, observer: CallObserver): SocketCalls {
  const told = (
    fd: number,
    call: string,
    result: number,
    datagrams: () => Uint8Array[],
  ): number => {
    if (result < 0) observer.onError(fd, call, -result);
    else for (const datagram of datagrams()) observer.onSent(fd, datagram);
    return result;
  };
  return {
    socket(domain, type, protocol) {
      const fd = calls.socket(domain, type, protocol);
      if (fd >= 0) observer.onSocket(fd, protocol);
      return fd;
    },
    close: (fd) => calls.close(fd),
    connect: (fd, address, length) => calls.connect(fd, address, length),
    getsockname: (fd, address, length) => calls.getsockname(fd, address, length),
    setsockopt: (fd, ...option) => calls.setsockopt(fd, ...option),
    getsockopt: (fd, ...option) => calls.getsockopt(fd, ...option),
    poll: (fds, count, timeoutMs) => calls.poll(fds, count, timeoutMs),
    send: (fd, address, length, flags) =>
      told(fd, "send", calls.send(fd, address, length, flags), () => [copyAt(address, length)]),
    writev: (fd, iovecs, count) =>
      told(fd, "writev", calls.writev(fd, iovecs, count), () => [copyIovecs(iovecs, count)]),
    sendmmsg(fd, headers, count, flags) {
      const sent = calls.sendmmsg(fd, headers, count, flags);
      return told(fd, "sendmmsg", sent, () => copyDatagrams(headers, sent));
    },
    recvmmsg(fd, headers, count, flags) {
      const received = calls.recvmmsg(fd, headers, count, flags);
      if (received < 0) observer.onError(fd, "recvmmsg", -received);
      else
        for (const datagram of copyDatagrams(headers, received)) observer.onReceived(fd, datagram);
      return received;
    },
  };
}
