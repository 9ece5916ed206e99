import { putWord } from "../netlink/message.ts";
import { MillraceError } from "../sys/errors.ts";
import type { NetworkNamespace } from "../sys/netns.ts";
import { NETLINK_ROUTE } from "../uapi/netlink.ts";
import { IFLA_NET_NS_FD, RTM_NEWLINK } from "../uapi/rtnetlink.ts";
import type { DatapathHandle } from "./datapath.ts";
import { listPorts } from "./vport.ts";

/**
 * Moves the interface of an internal port into another namespace; it stays a port of its datapath,
 * which is how a container's traffic reaches the datapath. The kernel removes any other interface
 * from its datapath when it is moved (dp_device_event in dp_notify.c), so other ports are refused
 * here.
 * @throws MillraceError `NO_PORT`, `NOT_INTERNAL`; NetlinkError
 */
export function movePort(datapath: DatapathHandle, name: string, to: NetworkNamespace): void {
  const port = listPorts(datapath).find((each) => each.name === name);
  if (port === undefined) {
    throw new MillraceError("NO_PORT", `${datapath.name} has no port "${name}"`);
  }
  if (port.type !== "internal") {
    const message = `a ${port.type} port would leave ${datapath.name} by moving: only internal ports can`;
    throw new MillraceError("NOT_INTERNAL", message);
  }
  datapath.channel.transactWith(NETLINK_ROUTE, {
    type: RTM_NEWLINK,
    doing: `moving ${name} to the network namespace ${to.label}`,
    write: (writer) => {
      // struct ifinfomsg: family and type 0, the index, no flags.
      putWord(writer, 0);
      putWord(writer, port.interfaceIndex);
      putWord(writer, 0);
      putWord(writer, 0);
      writer.u32(IFLA_NET_NS_FD, to.fd);
    },
  });
}
