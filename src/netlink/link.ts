import { EINVAL, ENODEV } from "../sys/errno.ts";
import { NETLINK_ROUTE } from "../uapi/netlink.ts";
import * as R from "../uapi/rtnetlink.ts";
import { AttributeReader } from "./attribute-reader.ts";
import type { AttributeWriter } from "./attribute-writer.ts";
import { NetlinkError } from "./errors.ts";
import { putWord } from "./message.ts";
import { Requester } from "./request.ts";
import { NetlinkSocket } from "./socket.ts";

/** Words of a `struct ifinfomsg { u8 family; u8; u16 type; s32 index; u32 flags; u32 change; }`. */
const IFINFOMSG_BYTES = 16;

/** An interface as rtnetlink describes it. */
type LinkInfo = {
  readonly index: number;
  readonly up: boolean;
  /** struct rtnl_link_stats64; undefined if the kernel sent none. */
  readonly stats: LinkStats | undefined;
};

/** Packets and bytes through an interface; exact up to 2^53. */
export type Traffic = {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
};

/** The counters of an interface. */
export type LinkStats = Traffic & {
  readonly collisions: number;
  readonly rxOverErrors: number;
  readonly rxFrameErrors: number;
  readonly txAbortedErrors: number;
  readonly txCarrierErrors: number;
};

/** The interfaces of the network namespace in which it was opened, over rtnetlink. */
export class Links implements Disposable {
  readonly #requester = new Requester(new NetlinkSocket(NETLINK_ROUTE));

  /** @returns undefined if there is no such interface */
  find(name: string): LinkInfo | undefined {
    let found: LinkInfo | undefined;
    try {
      this.#requester.transact(
        {
          type: R.RTM_GETLINK,
          doing: `looking up the interface ${name}`,
          write: (writer) => putLink(writer, name, 0, 0),
        },
        (memory, message) => {
          if (message.end < message.payload + IFINFOMSG_BYTES) return;
          found = decodeLink(memory.view, memory.u8, message.payload, message.end);
        },
      );
    } catch (error) {
      // EINVAL and ERANGE: no interface can have such a name.
      if (error instanceof NetlinkError && (error.errno === ENODEV || error.errno === EINVAL)) {
        return undefined;
      }
      throw error;
    }
    return found;
  }

  /** Brings an interface up. @throws NetlinkError */
  setUp(name: string): void {
    this.#requester.transact({
      type: R.RTM_NEWLINK,
      doing: `bringing up the interface ${name}`,
      write: (writer) => putLink(writer, name, R.IFF_UP, R.IFF_UP),
    });
  }

  /** Deletes an interface. @throws NetlinkError */
  delete(name: string): void {
    this.#requester.transact({
      type: R.RTM_DELLINK,
      doing: `deleting the interface ${name}`,
      write: (writer) => putLink(writer, name, 0, 0),
    });
  }

  [Symbol.dispose](): void {
    this.#requester.close();
  }
}

function putLink(writer: AttributeWriter, name: string, flags: number, change: number): void {
  putWord(writer, 0);
  putWord(writer, 0);
  putWord(writer, flags);
  putWord(writer, change);
  writer.string(R.IFLA_IFNAME, name);
}

function decodeLink(view: DataView, bytes: Uint8Array, start: number, end: number): LinkInfo {
  let stats: LinkStats | undefined;
  const reader = new AttributeReader().reset(bytes, start + IFINFOMSG_BYTES, end);
  while (reader.next()) {
    // The structure has grown over time; the fields read here have been there from the start.
    if (reader.type === R.IFLA_STATS64 && reader.length >= 23 * 8) {
      stats = decodeStats(view, reader.start);
    }
  }
  return {
    index: view.getInt32(start + 4, true),
    up: (view.getUint32(start + 8, true) & R.IFF_UP) !== 0,
    stats,
  };
}

function decodeStats(view: DataView, start: number): LinkStats {
  const at = (index: number): number => Number(view.getBigUint64(start + index * 8, true));
  return {
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxErrors: at(4),
    txErrors: at(5),
    rxDropped: at(6),
    txDropped: at(7),
    collisions: at(9),
    rxOverErrors: at(11),
    rxFrameErrors: at(13),
    txAbortedErrors: at(16),
    txCarrierErrors: at(17),
  };
}
