import { Links } from "../../netlink/link.ts";
import type { DatapathInfo } from "../../ovs/datapath.ts";
import { addPort, deletePort, listPorts, type PortType } from "../../ovs/vport.ts";
import { EAFNOSUPPORT, EINVAL, ENODEV, EOPNOTSUPP } from "../../sys/errno.ts";
import { MillraceError } from "../../sys/errors.ts";
import { KERNEL_TUNNELS, tunnelDevice, typeOf } from "./port-types.ts";
import type { DpctlSession } from "./session.ts";

/** An argument of add-if or set-if: `NAME[,type=TYPE][,port_no=N][,KEY=VALUE]...` */
type InterfaceArgument = {
  readonly name: string;
  readonly type: string | undefined;
  readonly number: number | undefined;
  readonly options: ReadonlyMap<string, string>;
};

/** Options of a tunnel that a port of the kernel's can have; the flow's actions say all else. */
const TUNNEL_OPTIONS = new Set([
  "remote_ip",
  "local_ip",
  "key",
  "in_key",
  "out_key",
  "dst_port",
  "exts",
]);

/** `add-if DP IFACE...` */
export function addInterfaces(session: DpctlSession, args: readonly string[]): number {
  const [arg = "", ...interfaces] = args;
  const datapath = session.open(arg);
  using links = new Links();
  let status = 0;
  for (const text of interfaces) {
    if (!addOne(session, links, datapath, arg, text)) status = 1;
  }
  return status;
}

function addOne(
  session: DpctlSession,
  links: Links,
  datapath: DatapathInfo,
  arg: string,
  text: string,
): boolean {
  const parsed = parseInterface(session, text);
  if (parsed === undefined) return false;
  const { name } = parsed;
  const port = portOf(session, links, parsed);
  if (port === undefined) return false;
  try {
    addPort(session.channel, datapath, port.name, port.type, parsed.number, port.tunnel);
  } catch (error) {
    session.complainOf(`adding ${name} to ${arg} failed`, error);
    return false;
  }
  try {
    links.setUp(port.name);
    return true;
  } catch (error) {
    session.complainOf(`${name}: failed bringing interface up`, error);
    return false;
  }
}

type WantedPort = {
  readonly name: string;
  readonly type: PortType;
  readonly tunnel?: { readonly destinationPort?: number };
};

// What is to be asked of the kernel, or undefined where that is nothing and was said.
function portOf(
  session: DpctlSession,
  links: Links,
  { name, type = "system", options }: InterfaceArgument,
): WantedPort | undefined {
  const failed = `${name}: failed to open network device`;
  if (type === "vxlan" || type === "geneve" || type === "gre") {
    const problem = tunnelProblem(type, options);
    if (problem !== undefined) {
      session.complain(`${name}: could not set configuration`, EINVAL, problem);
      return undefined;
    }
    const given = options.get("dst_port");
    const device = tunnelDevice(type, given === undefined ? undefined : Number(given));
    const tunnel = device.udpPort === undefined ? {} : { destinationPort: device.udpPort };
    return { name: device.name, type, tunnel };
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
    session.complain(`${name}: arguments provided to device that is not configurable`, 0, keys);
    return undefined;
  }
  return { name, type: type === "system" ? "netdev" : "internal" };
}

function tunnelProblem(type: string, options: ReadonlyMap<string, string>): string | undefined {
  for (const key of options.keys()) {
    if (!TUNNEL_OPTIONS.has(key)) return `unknown ${type} argument '${key}'`;
  }
  if (!options.has("remote_ip")) return `${type} type requires valid 'remote_ip' argument`;
  const port = options.get("dst_port");
  if (port !== undefined && !(/^\d+$/.test(port) && Number(port) > 0 && Number(port) < 65536)) {
    return `bad ${type} 'dst_port'`;
  }
  return undefined;
}

/** `set-if DP IFACE...` */
export function setInterfaces(session: DpctlSession, args: readonly string[]): number {
  const [arg = "", ...interfaces] = args;
  const datapath = session.open(arg);
  let status = 0;
  for (const text of interfaces) {
    if (!setOne(session, datapath, arg, text)) status = 1;
  }
  return status;
}

function setOne(session: DpctlSession, datapath: DatapathInfo, arg: string, text: string): boolean {
  const wanted = parseInterface(session, text);
  if (wanted === undefined) return false;
  const { name, type, number, options } = wanted;
  const port = listPorts(session.channel, datapath).find((known) => known.name === name);
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
  const [arg = "", ...names] = args;
  const datapath = session.open(arg);
  let status = 0;
  for (const name of names) if (!deleteOne(session, datapath, arg, name)) status = 1;
  return status;
}

function deleteOne(
  session: DpctlSession,
  datapath: DatapathInfo,
  arg: string,
  name: string,
): boolean {
  const ports = listPorts(session.channel, datapath);
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
    deletePort(session.channel, datapath, port.name);
    // A tunnel's device that was made for the port alone goes with it, as with ovs-dpctl.
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

// As strtok_r takes it apart: empty parts do not count.
function parseInterface(session: DpctlSession, text: string): InterfaceArgument | undefined {
  const [name, ...parts] = text.split(",").filter((part) => part !== "");
  if (name === undefined) {
    session.complain(`${text} is not a valid network device name`);
    return undefined;
  }
  let type: string | undefined;
  let number: number | undefined;
  const options = new Map<string, string>();
  for (const part of parts) {
    const [key = "", ...rest] = part.split("=");
    const value = rest.join("=");
    if (key === "") {
      session.complain("Invalid option format");
      return undefined;
    }
    if (key === "type") type = value;
    else if (key === "port_no") number = Number.parseInt(value, 10) || 0;
    else if (options.has(key)) session.complain(`duplicate "${key}" option`);
    else options.set(key, value);
  }
  return { name, type, number, options };
}
