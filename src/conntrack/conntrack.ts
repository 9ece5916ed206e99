import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import type { NetlinkChannel } from "../netlink/channel.ts";
import { putWord } from "../netlink/message.ts";
import * as C from "../uapi/conntrack.ts";
import { NETLINK_NETFILTER, NLA_F_NESTED } from "../uapi/netlink.ts";
import { IPPROTO_ICMP } from "../uapi/packet.ts";
import { AF_INET, type Connection, type ConnectionTuple } from "./connection.ts";
import { decodeConnection } from "./decode.ts";

/**
 * The connections of a channel's network namespace, which all its datapaths share, tracked by zone.
 */
export class Conntrack {
  readonly #channel: NetlinkChannel;

  /** @param channel owned and closed by the caller */
  constructor(channel: NetlinkChannel) {
    this.#channel = channel;
  }

  /** Every connection, or those of one zone. The loop may be left early. */
  *connections(zone?: number): Generator<Connection, void> {
    const request = {
      type: messageType(C.IPCTNL_MSG_CT_GET),
      doing: "listing the connections",
      write: (writer: AttributeWriter) => putHeader(writer, 0),
    };
    for (const { memory, message } of this.#channel.dumpWith(NETLINK_NETFILTER, request)) {
      const found = decodeConnection(memory.u8, memory.view, message.payload, message.end);
      if (found !== undefined && (zone === undefined || found.zone === zone)) yield found;
    }
  }

  /** Forgets one connection. @throws NetlinkError ENOENT if there is no such connection */
  delete(connection: Pick<Connection, "original" | "zone"> & { readonly id?: number }): void {
    const { original, zone, id } = connection;
    this.#channel.transactWith(NETLINK_NETFILTER, {
      type: messageType(C.IPCTNL_MSG_CT_DELETE),
      doing: "deleting a connection",
      write: (writer) => {
        putHeader(writer, original.family);
        // A kernel without zones refuses the attribute, whatever its value.
        if (zone !== 0) writer.be16(C.CTA_ZONE, zone);
        putTuple(writer, original);
        if (id !== undefined) writer.be32(C.CTA_ID, id);
      },
    });
  }

  /** Forgets every connection of the namespace. */
  flush(): void {
    this.#channel.transactWith(NETLINK_NETFILTER, {
      type: messageType(C.IPCTNL_MSG_CT_DELETE),
      doing: "flushing the connections",
      write: (writer) => putHeader(writer, 0),
    });
  }
}

function messageType(command: number): number {
  return (C.NFNL_SUBSYS_CTNETLINK << 8) | command;
}

function putHeader(writer: AttributeWriter, family: number): void {
  putWord(writer, family | (C.NFNETLINK_V0 << 8));
}

// Netfilter requires NLA_F_NESTED on its nests (nla_parse_nested).
function putTuple(writer: AttributeWriter, tuple: ConnectionTuple): void {
  const { family, protocol, icmp } = tuple;
  const nest = writer.nest(C.CTA_TUPLE_ORIG | NLA_F_NESTED);
  const ip = writer.nest(C.CTA_TUPLE_IP | NLA_F_NESTED);
  writer.bytes(family === AF_INET ? C.CTA_IP_V4_SRC : C.CTA_IP_V6_SRC, tuple.source);
  writer.bytes(family === AF_INET ? C.CTA_IP_V4_DST : C.CTA_IP_V6_DST, tuple.destination);
  writer.endNest(ip);
  const proto = writer.nest(C.CTA_TUPLE_PROTO | NLA_F_NESTED);
  writer.u8(C.CTA_PROTO_NUM, protocol);
  if (icmp !== undefined) {
    const first = protocol === IPPROTO_ICMP ? C.CTA_PROTO_ICMP_ID : C.CTA_PROTO_ICMPV6_ID;
    writer.be16(first, icmp.id);
    writer.u8(first + 1, icmp.type);
    writer.u8(first + 2, icmp.code);
  } else {
    writer.be16(C.CTA_PROTO_SRC_PORT, tuple.sourcePort);
    writer.be16(C.CTA_PROTO_DST_PORT, tuple.destinationPort);
  }
  writer.endNest(proto);
  writer.endNest(nest);
}
