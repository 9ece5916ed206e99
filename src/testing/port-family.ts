import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { isName } from "../ovs/check.ts";
import { EAFNOSUPPORT, EBUSY, EEXIST, EFBIG, EINVAL, ENODEV, EOPNOTSUPP } from "../sys/errno.ts";
import { NLM_F_MULTI } from "../uapi/netlink.ts";
import * as A from "../uapi/openvswitch.ts";
import { type DatapathState, newPort, type PortState } from "./datapath-state.ts";
import type { Walk } from "./family.ts";
import { OvsFamily } from "./ovs-family.ts";
import { headOf, ovsAttributes } from "./ovs-message.ts";
import { type Attributes, type Request, textOf, u32List, u32Of } from "./wire.ts";

/** Ports have numbers below this (DP_MAX_PORTS). */
const PORTS_MAX = 65_535;

/** The index of `lo`. */
const LOOPBACK = 1;

/** A port, and where it is. */
type Found = { readonly dp: DatapathState; readonly port: PortState };

/** Port commands as net/openvswitch/datapath.c has them. */
export class PortFamily extends OvsFamily {
  readonly name: string = A.OVS_VPORT_FAMILY;
  readonly version: number = A.OVS_VPORT_VERSION;
  readonly attributeMax: number = A.OVS_VPORT_ATTR_NETNSID;
  readonly groups: readonly string[] = [A.OVS_VPORT_MCGROUP];

  run(request: Request, reply: (message: Uint8Array) => void): number {
    const given = ovsAttributes(request);
    if (given === undefined) return EINVAL;
    const { command } = headOf(request);
    if (command === A.OVS_VPORT_CMD_NEW) return this.#create(request, given);
    if (command < A.OVS_VPORT_CMD_NEW || command > A.OVS_VPORT_CMD_SET) return EOPNOTSUPP;
    const found = this.#find(request, given);
    if (typeof found === "number") return found;
    if (command === A.OVS_VPORT_CMD_GET) {
      reply(this.#describe(found, request, A.OVS_VPORT_CMD_GET));
      return 0;
    }
    if (command === A.OVS_VPORT_CMD_SET) return this.#change(found, request, given);
    const { dp, port } = found;
    if (port.number === 0) return EINVAL;
    const last = this.#describe(found, request, A.OVS_VPORT_CMD_DEL);
    dp.ports.delete(port.number);
    if (port.type !== A.OVS_VPORT_TYPE_NETDEV) this.kernel.interfaces.delete(port.name);
    this.kernel.notify(this.group, last, request);
    return 0;
  }

  dump(request: Request): Walk | undefined {
    if (headOf(request).command !== A.OVS_VPORT_CMD_GET) return undefined;
    let at = 0;
    return {
      take: () => {
        const dp = this.kernel.byIndex(headOf(request).datapath);
        if (dp === undefined) return ENODEV;
        const port = [...dp.ports.values()].sort((a, b) => a.number - b.number)[at++];
        return port && this.#describe({ dp, port }, request, A.OVS_VPORT_CMD_GET, NLM_F_MULTI);
      },
    };
  }

  // ovs_vport_cmd_new
  #create(request: Request, given: Attributes): number {
    const name = textOf(given, A.OVS_VPORT_ATTR_NAME);
    const type = u32Of(given, A.OVS_VPORT_ATTR_TYPE);
    const upcalls = given.get(A.OVS_VPORT_ATTR_UPCALL_PID);
    if (name === undefined || type === undefined || upcalls === undefined) return EINVAL;
    const wanted = u32Of(given, A.OVS_VPORT_ATTR_PORT_NO) ?? 0;
    if (wanted >= PORTS_MAX) return EFBIG;
    const dp = this.kernel.byIndex(headOf(request).datapath);
    if (dp === undefined) return ENODEV;
    if (wanted !== 0 && dp.ports.has(wanted)) return EBUSY;
    let number = wanted;
    if (number === 0) for (number = 1; dp.ports.has(number); number++);
    if (number >= PORTS_MAX) return EFBIG;
    if (!TYPES.has(type)) return EAFNOSUPPORT;
    if (upcalls.length !== 4) return EINVAL;
    const index = this.#interfaceFor(name, type);
    if (index < 0) return -index;
    const port = newPort(number, name, type, index);
    port.upcallPortIds = u32List(upcalls);
    port.options = given.get(A.OVS_VPORT_ATTR_OPTIONS)?.slice();
    dp.ports.set(number, port);
    this.#tell({ dp, port }, request, A.OVS_VPORT_CMD_NEW);
    return 0;
  }

  // Returns the index of the interface that a port is to have, or an errno, negated.
  #interfaceFor(name: string, type: number): number {
    const { interfaces, datapaths, nextInterface } = this.kernel;
    if (type === A.OVS_VPORT_TYPE_NETDEV) {
      const index = interfaces.get(name);
      if (index === undefined) return -ENODEV;
      const ports = [...datapaths.values()].flatMap((dp) => [...dp.ports.values()]);
      const taken = ports.find((port) => port.name === name);
      // Of what the datapath makes itself there is no second port, and none of the loopback (ovs_netdev_link).
      if (index === LOOPBACK || (taken !== undefined && taken.type !== type)) return -EINVAL;
      return taken === undefined ? index : -EBUSY;
    }
    if (!isName(name)) return -EINVAL;
    if (interfaces.has(name)) return -EEXIST;
    const index = nextInterface();
    interfaces.set(name, index);
    return index;
  }

  // lookup_vport
  #find(request: Request, given: Attributes): Found | number {
    const { datapath } = headOf(request);
    if (given.has(A.OVS_VPORT_ATTR_IFINDEX)) return EOPNOTSUPP;
    const name = textOf(given, A.OVS_VPORT_ATTR_NAME);
    if (name !== undefined) {
      for (const dp of this.kernel.datapaths.values()) {
        for (const port of dp.ports.values()) {
          if (port.name !== name) continue;
          return datapath === 0 || datapath === dp.index ? { dp, port } : ENODEV;
        }
      }
      return ENODEV;
    }
    const number = u32Of(given, A.OVS_VPORT_ATTR_PORT_NO);
    if (number === undefined) return EINVAL;
    if (number >= PORTS_MAX) return EFBIG;
    const dp = this.kernel.byIndex(datapath);
    const port = dp?.ports.get(number);
    return dp === undefined || port === undefined ? ENODEV : { dp, port };
  }

  // ovs_vport_cmd_set
  #change(found: Found, request: Request, given: Attributes): number {
    const { port } = found;
    const type = u32Of(given, A.OVS_VPORT_ATTR_TYPE);
    if (type !== undefined && type !== port.type) return EINVAL;
    const options = given.get(A.OVS_VPORT_ATTR_OPTIONS);
    if (options !== undefined && port.options === undefined) return EOPNOTSUPP;
    const upcalls = given.get(A.OVS_VPORT_ATTR_UPCALL_PID);
    if (upcalls !== undefined) {
      // Linux 6.1 takes one, whatever the features of the datapath are.
      if (upcalls.length !== 4) return EINVAL;
      port.upcallPortIds = u32List(upcalls);
    }
    this.#tell(found, request, A.OVS_VPORT_CMD_SET);
    return 0;
  }

  #tell(found: Found, request: Request, command: number): void {
    this.kernel.notify(this.group, this.#describe(found, request, command), request);
  }

  // ovs_vport_cmd_fill_info
  #describe({ dp, port }: Found, request: Request, command: number, flags = 0): Uint8Array {
    const head = { command, datapath: dp.index, flags, request };
    return this.message(head, (writer) => putPort(writer, dp, port));
  }
}

const TYPES: ReadonlySet<number> = new Set([
  A.OVS_VPORT_TYPE_NETDEV,
  A.OVS_VPORT_TYPE_INTERNAL,
  A.OVS_VPORT_TYPE_GRE,
  A.OVS_VPORT_TYPE_VXLAN,
  A.OVS_VPORT_TYPE_GENEVE,
]);

function putPort(writer: AttributeWriter, dp: DatapathState, port: PortState): void {
  writer.u32(A.OVS_VPORT_ATTR_PORT_NO, port.number);
  writer.u32(A.OVS_VPORT_ATTR_TYPE, port.type);
  writer.string(A.OVS_VPORT_ATTR_NAME, port.name);
  writer.u32(A.OVS_VPORT_ATTR_IFINDEX, port.interfaceIndex);
  const at = writer.reserve(A.OVS_VPORT_ATTR_STATS, 64) >> 2;
  for (const [i, count] of port.counters.entries()) {
    writer.memory.u32[at + i * 2] = count;
    writer.memory.u32[at + i * 2 + 1] = 0;
  }
  const all = (dp.userFeatures & A.OVS_DP_F_VPORT_PIDS) !== 0;
  const ids = new Uint32Array(all ? port.upcallPortIds : port.upcallPortIds.slice(0, 1));
  writer.bytes(A.OVS_VPORT_ATTR_UPCALL_PID, new Uint8Array(ids.buffer));
  if (port.options !== undefined) writer.bytes(A.OVS_VPORT_ATTR_OPTIONS, port.options);
}
