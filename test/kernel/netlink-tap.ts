/** Hears all of the machine's netlink messages on an interface of type nlmon, as tcpdump would. */
import { dlopen, type Pointer, ptr } from "bun:ffi";
import { witness } from "./lab.ts";

const LIBC = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
});

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL_BE = 0x0300;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;
const NLM_F_REQUEST = 1;
/** The first number of a generic netlink family; below are the types of other protocols. */
const GENL_MIN_ID = 0x10;

/** A request sent to a generic netlink family. */
export type TappedRequest = { readonly family: number; readonly command: number };

/**
 * Construct it before the requests that it should hear; each call of `requests` returns the new
 * ones.
 */
export class NetlinkTap implements Disposable {
  readonly #name: string;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(1 << 20);

  constructor(name = "nlmon0") {
    this.#name = name;
    witness("ip", "link", "add", name, "type", "nlmon");
    witness("ip", "link", "set", name, "up");
    const [link] = JSON.parse(witness("ip", "-j", "link", "show", name));
    this.#fd = LIBC.symbols.socket(AF_PACKET, SOCK_RAW, ETH_P_ALL_BE);
    // struct sockaddr_ll: family, protocol, ifindex
    const address = new Uint8Array(20);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ETH_P_ALL_BE, true);
    view.setInt32(4, link.ifindex, true);
    const room = Int32Array.of(64 << 20);
    LIBC.symbols.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, address_(room), 4);
    if (LIBC.symbols.bind(this.#fd, address_(address), 20) !== 0) throw new Error("bind failed");
  }

  /** The requests to generic netlink families since the last call. */
  requests(): TappedRequest[] {
    const found: TappedRequest[] = [];
    const { symbols } = LIBC;
    const view = new DataView(this.#buffer.buffer);
    for (;;) {
      const at = address_(this.#buffer);
      const size = Number(symbols.recv(this.#fd, at, this.#buffer.length, MSG_DONTWAIT));
      if (size <= 0) return found;
      for (let from = 0; from + 20 <= size;) {
        const length = view.getUint32(from, true);
        if (length < 16) break;
        const family = view.getUint16(from + 4, true);
        const isRequest = (view.getUint16(from + 6, true) & NLM_F_REQUEST) !== 0;
        if (isRequest && family >= GENL_MIN_ID) {
          found.push({ family, command: view.getUint8(from + 16) });
        }
        from += (length + 3) & ~3;
      }
    }
  }

  [Symbol.dispose](): void {
    LIBC.symbols.close(this.#fd);
    witness("ip", "link", "del", this.#name);
  }
}

function address_(bytes: Uint8Array | Int32Array): Pointer {
  return ptr(bytes);
}
