import { Links } from "../../netlink/link.ts";
import type { DatapathHandle } from "../../ovs/datapath.ts";
import { addPort, deletePort, listPorts, type PortType } from "../../ovs/vport.ts";
import { EAFNOSUPPORT, EFBIG, EINVAL, ENODEV, EOPNOTSUPP } from "../../sys/errno.ts";
import { MillraceError } from "../../sys/errors.ts";
import type { TunnelOptions } from "../../ovs/tunnel.ts";
import { type InterfaceArgument, parseInterface } from "./interface-argument.ts";
import { KERNEL_TUNNELS, tunnelDevice, typeOf } from "./port-types.ts";
import type { DpctlSession } from "./session.ts";
import { judgeTunnel, kernelOptions } from "./tunnel-options.ts";

/** DP_MAX_PORTS: no port has this number or a higher one. */
const PORTS_MAX = 65_535;

/** `add-if DP IFACE...` */
export function addInterfaces(session: DpctlSession, args: readonly string[]): number {
  using links = new Links();
  return each(session, args, (datapath, to, text) => {
    const parsed = parseInterface(session, text);
    return parsed !== undefined && addOne(session, links, datapath, { ...parsed, to });
  });
}

// Opens the datapath that the first argument names, and does something for each of the others.
function each(
  session: DpctlSession,
  [name = "", ...others]: readonly string[],
  run: (datapath: DatapathHandle, name: string, other: string) => boolean,
): number {
  const datapath = session.open(name);
  const done = others.map((other) => run(datapath, name, other));
  return done.includes(false) ? 1 : 0;
}

function addOne(
  session: DpctlSession,
  links: Links,
  datapath: DatapathHandle,
  wanted: InterfaceArgument & { readonly to: string },
): boolean {
  const { name, number = 0 } = wanted;
  const port = portOf(session, links, wanted);
  if (port === undefined) return false;
  const failed = `adding ${name} to ${wanted.to} failed`;
  if (number >= PORTS_MAX) {
    session.complain(failed, EFBIG, `ports are below ${PORTS_MAX}`);
    return false;
  }
  try {
    // For 0, the kernel chooses the number.
    const { type, tunnel = {} } = port;
    addPort(datapath, port.name, { type, tunnel, ...(number === 0 ? {} : { number }) });
  } catch (error) {
    session.complainOf(failed, error);
    return false;
  }
  try {
    links.setUp(port.name);
    return true;
  } catch (error) {
    deletePort(datapath, port.name);
    session.complainOf(`${name}: failed bringing interface up`, error);
    return false;
  }
}

type WantedPort = {
  readonly name: string;
  readonly type: PortType;
  readonly tunnel?: TunnelOptions;
};

// The port to request from the kernel; undefined after an error, which was reported.
function portOf(
  session: DpctlSession,
  links: Links,
  { name, type = "system", options }: InterfaceArgument,
): WantedPort | undefined {
  const failed = `${name}: failed to open network device`;
  if (type === "vxlan" || type === "geneve" || type === "gre") {
    const { warnings, problem } = judgeTunnel(type, options);
    for (const warning of warnings) session.warn(`${name}: ${warning}`);
    if (problem !== undefined) {
      session.complain(`${name}: could not set configuration`, EINVAL, problem);
      return undefined;
    }
    const given = options.get("dst_port");
    const wanted = given === undefined ? undefined : Number.parseInt(given, 10) || 0;
    const device = tunnelDevice(type, wanted);
    return { name: device.name, type, tunnel: kernelOptions(type, device.udpPort, options) };
  }
  if (type !== "system" && type !== "internal") {
    const known = ["system", "internal", ...KERNEL_TUNNELS].join(", ");
    session.complain(failed, EAFNOSUPPORT, `found type=${type}, expected ${known}`);
    return undefined;
  }
  if (type === "system" && links.find(name) === undefined) {
    session.complain(failed, ENODEV, `there is no interface "${name}"`);
    return undefined;
  }
  if (options.size > 0) {
    const keys = [...options.keys()].join(", ");
    session.warn(`${name}: arguments provided to device that is not configurable: ${keys}`);
  }
  return { name, type: type === "system" ? "netdev" : "internal" };
}

/** `set-if DP IFACE...` */
export function setInterfaces(session: DpctlSession, args: readonly string[]): number {
  return each(session, args, (datapath, to, text) => setOne(session, datapath, to, text));
}

function setOne(
  session: DpctlSession,
  datapath: DatapathHandle,
  arg: string,
  text: string,
): boolean {
  const wanted = parseInterface(session, text);
  if (wanted === undefined) return false;
  const { name, type, number, options } = wanted;
  const port = listPorts(datapath).find((known) => known.name === name);
  if (port === undefined) {
    session.complain(`${name}: failed to query port in ${arg}`, ENODEV);
    return false;
  }
  const ownType = typeOf(port);
  if (type !== undefined && type !== ownType) {
    session.complain(`${name}: can't change type from ${ownType} to ${type}`);
    return false;
  }
  if (number !== undefined && number !== port.number) {
    session.complain(`${name}: can't change port number from ${port.number} to ${number}`);
    return false;
  }
  if (options.size === 0) return true;
  if (ownType === "system" || ownType === "internal") {
    session.complain(`${name}: arguments provided to device that is not configurable`);
  } else {
    const reason = "a tunnel port of the kernel keeps its options: delete it and add it again";
    session.complain(`${name}: could not set configuration`, EOPNOTSUPP, reason);
  }
  return false;
}

/** `del-if DP IFACE...`, by name or by port number */
export function deleteInterfaces(session: DpctlSession, args: readonly string[]): number {
  return each(session, args, (datapath, from, name) => deleteOne(session, datapath, from, name));
}

function deleteOne(
  session: DpctlSession,
  datapath: DatapathHandle,
  arg: string,
  name: string,
): boolean {
  const ports = listPorts(datapath);
  const failed = `deleting port ${name} from ${arg} failed`;
  const byNumber = /^\d*$/.test(name);
  const port = ports.find((known) =>
    byNumber ? known.number === Number(name) : known.name === name,
  );
  if (port === undefined) {
    if (byNumber) session.complain(failed, ENODEV, `there is no port ${name}`);
    else session.complain(`no port named ${name}`);
    return false;
  }
  try {
    deletePort(datapath, port.name);
    // A tunnel's device that was made only for the port is deleted with it, as with ovs-dpctl.
    if (port.type === "netdev" && typeOf(port) !== "system") {
      using links = new Links();
      links.delete(port.name);
    }
    return true;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    session.complainOf(failed, error);
    return false;
  }
}
