import type { Traffic } from "../netlink/link.ts";
import { type PortNames, portNamesOf } from "../flow/ports.ts";
import { AttributeReader, counterAt, decodeString } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { EAFNOSUPPORT, EBUSY, EEXIST, ENODEV, EINVAL } from "../sys/errno.ts";
import { MillraceError, NotSupportedError } from "../sys/errors.ts";
import { NLM_F_ECHO } from "../uapi/netlink.ts";
import * as A from "../uapi/openvswitch.ts";
import { type OvsMessage, onMessage } from "./channel.ts";
import { checkName, checkNumber, isName, usage } from "./check.ts";
import { type DatapathHandle, decodePortIds, putPortIds } from "./datapath.ts";
import {
  checkTunnel,
  decodeTunnel,
  loadTunnelModules,
  putTunnel,
  type TunnelOptions,
} from "./tunnel.ts";

/** Kinds of ports that can be added: an existing interface, or one that the datapath creates. */
export type PortType = "netdev" | "internal" | "gre" | "vxlan" | "geneve";

/** A port as the kernel describes it. */
export type PortInfo = {
  readonly number: number;
  readonly name: string;
  /** Its type as ovs-dpctl names it; `type N` if unknown. */
  readonly type: string;
  /** Interface index; 0 if the kernel does not report it. */
  readonly interfaceIndex: number;
  readonly stats: PortStats;
  /**
   * Netlink port ids that receive missed packets; 0 for none. If there are several, the packet's
   * hash selects one.
   */
  readonly upcallPortIds: readonly number[];
  /** Delivered and failed upcalls; undefined before kernel 6.3. */
  readonly upcalls: { readonly success: number; readonly fail: number } | undefined;
  /** The id of its interface's namespace, if that is not the datapath's. */
  readonly namespaceId: number | undefined;
  readonly tunnel: TunnelOptions | undefined;
};

/** struct ovs_vport_stats. */
export type PortStats = Traffic;

/** Below DP_MAX_PORTS in the kernel's datapath.h; 0 is the local port. */
const PORT_NUMBER_MAX = 65_534;

const NUMBER_OF_TYPE: Readonly<Record<PortType, number>> = {
  netdev: A.OVS_VPORT_TYPE_NETDEV,
  internal: A.OVS_VPORT_TYPE_INTERNAL,
  gre: A.OVS_VPORT_TYPE_GRE,
  vxlan: A.OVS_VPORT_TYPE_VXLAN,
  geneve: A.OVS_VPORT_TYPE_GENEVE,
};

const TYPES = new Map<number, string>(
  Object.entries(NUMBER_OF_TYPE).map(([type, number]) => [number, type]),
);

/** Whether ports of a type can be added. */
export function isPortType(type: string): type is PortType {
  return Object.hasOwn(NUMBER_OF_TYPE, type);
}

const NO_STATS: PortStats = {
  rxPackets: 0,
  txPackets: 0,
  rxBytes: 0,
  txBytes: 0,
  rxErrors: 0,
  txErrors: 0,
  rxDropped: 0,
  txDropped: 0,
};

/** The ports of a datapath, by number. */
export function listPorts(datapath: DatapathHandle): PortInfo[] {
  const found: PortInfo[] = [];
  const request = {
    ...portRequest(A.OVS_VPORT_CMD_GET, datapath.index),
    doing: `listing the ports of ${datapath.name}`,
  };
  for (const message of datapath.channel.dump(request)) found.push(decodePort(message));
  return found.sort((a, b) => a.number - b.number);
}

/** The configuration of a new port. */
export type PortOptions = {
  /** `netdev`, an existing interface, by default. */
  readonly type?: PortType;
  /** The wanted port number, 1 to 65,534; chosen by the kernel if absent. */
  readonly number?: number;
  /** For `vxlan` and `geneve`. */
  readonly tunnel?: TunnelOptions;
};

/**
 * Adds a port.
 * @throws MillraceError `NO_INTERFACE`, `EEXIST`, `NO_PERMISSION`, `USAGE`; NotSupportedError
 */
export function addPort(
  datapath: DatapathHandle,
  name: string,
  { type = "netdev", number, tunnel = {} }: PortOptions = {},
): PortInfo {
  checkName("port", name);
  if (!Object.hasOwn(NUMBER_OF_TYPE, type)) {
    throw usage(`port type: found "${type}", expected ${Object.keys(NUMBER_OF_TYPE).join(", ")}`);
  }
  if (number !== undefined) checkNumber("port number", number, 1, PORT_NUMBER_MAX);
  checkTunnel(type, tunnel);
  const doing = `adding the port ${name} to ${datapath.name}`;
  const write = (writer: AttributeWriter): void => {
    writer.string(A.OVS_VPORT_ATTR_NAME, name);
    writer.u32(A.OVS_VPORT_ATTR_TYPE, NUMBER_OF_TYPE[type]);
    putTunnel(writer, type, tunnel);
    // 0: missed packets are dropped until a program asks for them.
    writer.u32(A.OVS_VPORT_ATTR_UPCALL_PID, 0);
    if (number !== undefined) writer.u32(A.OVS_VPORT_ATTR_PORT_NO, number);
  };
  loadTunnelModules(type);
  let added: PortInfo | undefined;
  try {
    datapath.channel.transact(
      { ...portRequest(A.OVS_VPORT_CMD_NEW, datapath.index), flags: NLM_F_ECHO, doing, write },
      onMessage((message) => {
        added = decodePort(message);
      }),
    );
  } catch (error) {
    throw explainAdd(error, doing, { name, type, number });
  }
  if (added === undefined) throw new MillraceError("NO_REPLY", `${doing}: no reply`);
  return added;
}

/** Deletes a port; the interface of a netdev port stays. @throws MillraceError `NO_PORT` */
export function deletePort(datapath: DatapathHandle, name: string): void {
  const doing = `deleting the port ${name} of ${datapath.name}`;
  const missing = (cause?: NetlinkError): MillraceError =>
    new MillraceError("NO_PORT", `${doing}: there is no such port`, { cause });
  if (!isName(name)) throw missing();
  try {
    datapath.channel.transact({
      ...portRequest(A.OVS_VPORT_CMD_DEL, datapath.index),
      doing,
      write: (writer) => writer.string(A.OVS_VPORT_ATTR_NAME, name),
    });
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) throw missing(error);
    if (error instanceof NetlinkError && error.errno === EINVAL) {
      const message = `${doing}: the local port goes only with its datapath`;
      throw new MillraceError("LOCAL_PORT", message, { cause: error });
    }
    throw error;
  }
}

function portRequest(command: number, datapath: number) {
  return { family: A.OVS_VPORT_FAMILY, version: A.OVS_VPORT_VERSION, command, datapath };
}

function explainAdd(
  error: unknown,
  doing: string,
  { name, type, number }: { name: string; type: PortType; number: number | undefined },
): unknown {
  if (!(error instanceof NetlinkError)) return error;
  if (error.errno === EAFNOSUPPORT) {
    return new NotSupportedError(`port type ${type}, or not its module vport-${type}`, "4.3", {
      cause: error,
    });
  }
  if (error.errno === ENODEV) {
    return new MillraceError("NO_INTERFACE", `${doing}: there is no interface "${name}"`, {
      cause: error,
    });
  }
  if (error.errno === EBUSY || error.errno === EEXIST) {
    const taken = number === undefined ? "" : `, or port number ${number} is taken`;
    return new MillraceError("EEXIST", `${doing}: it belongs to a datapath already${taken}`, {
      cause: error,
    });
  }
  return error;
}

/**
 * Sets the receivers of a port's missed packets.
 * @param portIds netlink port ids; with OVS_DP_F_VPORT_PIDS, the packet's hash selects one of them
 */
export function setPortUpcalls(
  datapath: DatapathHandle,
  number: number,
  portIds: readonly number[],
): void {
  datapath.channel.transact({
    ...portRequest(A.OVS_VPORT_CMD_SET, datapath.index),
    doing: `changing who gets the misses of port ${number} of ${datapath.name}`,
    write: (writer) => {
      writer.u32(A.OVS_VPORT_ATTR_PORT_NO, number);
      putPortIds(writer, A.OVS_VPORT_ATTR_UPCALL_PID, portIds);
    },
  });
}

/** Reads a port from a message of the family ovs_vport. */
export function decodePort(message: OvsMessage): PortInfo {
  const { bytes, view } = message;
  let upcallPortIds: readonly number[] = [];
  let upcalls: PortInfo["upcalls"];
  let namespaceId: number | undefined;
  let tunnel: TunnelOptions | undefined;
  let number = -1;
  let name = "";
  let type = "unknown";
  let interfaceIndex = 0;
  let stats = NO_STATS;
  const reader = new AttributeReader().reset(bytes, message.start, message.end);
  while (reader.next()) {
    const { start, length } = reader;
    if (reader.type === A.OVS_VPORT_ATTR_NAME) name = decodeString(bytes, start, start + length);
    else if (reader.type === A.OVS_VPORT_ATTR_STATS && length >= 64)
      stats = decodeStats(view, start);
    else if (reader.type === A.OVS_VPORT_ATTR_OPTIONS) {
      tunnel = decodeTunnel(bytes, view, start, start + length);
    } else if (reader.type === A.OVS_VPORT_ATTR_UPCALL_STATS) {
      upcalls = decodeUpcallStats(message, start, start + length);
    } else if (length < 4) continue;
    else if (reader.type === A.OVS_VPORT_ATTR_UPCALL_PID) {
      upcallPortIds = decodePortIds(view, start, length);
    } else if (reader.type === A.OVS_VPORT_ATTR_NETNSID) namespaceId = view.getInt32(start, true);
    else if (reader.type === A.OVS_VPORT_ATTR_PORT_NO) number = view.getUint32(start, true);
    else if (reader.type === A.OVS_VPORT_ATTR_IFINDEX) interfaceIndex = view.getUint32(start, true);
    else if (reader.type === A.OVS_VPORT_ATTR_TYPE) {
      const known = view.getUint32(start, true);
      type = TYPES.get(known) ?? `type ${known}`;
    }
  }
  return {
    number,
    name,
    type,
    interfaceIndex,
    stats,
    upcallPortIds,
    upcalls,
    namespaceId,
    tunnel,
  };
}

function decodeUpcallStats(message: OvsMessage, start: number, end: number) {
  const found = { success: 0, fail: 0 };
  const reader = new AttributeReader().reset(message.bytes, start, end);
  while (reader.next()) {
    if (reader.length < 8) continue;
    const value = counterAt(message.view, reader.start);
    if (reader.type === A.OVS_VPORT_UPCALL_ATTR_SUCCESS) found.success = value;
    if (reader.type === A.OVS_VPORT_UPCALL_ATTR_FAIL) found.fail = value;
  }
  return found;
}

function decodeStats(view: DataView, start: number): PortStats {
  return {
    rxPackets: counterAt(view, start),
    txPackets: counterAt(view, start + 8),
    rxBytes: counterAt(view, start + 16),
    txBytes: counterAt(view, start + 24),
    rxErrors: counterAt(view, start + 32),
    txErrors: counterAt(view, start + 40),
    rxDropped: counterAt(view, start + 48),
    txDropped: counterAt(view, start + 56),
  };
}

/** The current names of a datapath's ports, for reading and printing flows. */
export function portNames(datapath: DatapathHandle): PortNames {
  return portNamesOf(listPorts(datapath));
}

/** As {@link portNames}, asked for only when a name is looked up. */
export function lazyPortNames(datapath: DatapathHandle): PortNames {
  let known: PortNames | undefined;
  const names = (): PortNames => (known ??= portNames(datapath));
  return {
    numberOf: (name) => names().numberOf(name),
    nameOf: (number) => names().nameOf(number),
  };
}
