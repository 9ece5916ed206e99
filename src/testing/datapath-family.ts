import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { isName } from "../ovs/check.ts";
import { EEXIST, EINVAL, ENODEV, EOPNOTSUPP, ERANGE } from "../sys/errno.ts";
import { NLM_F_MULTI } from "../uapi/netlink.ts";
import * as A from "../uapi/openvswitch.ts";
import { type DatapathState, newDatapath, newPort } from "./datapath-state.ts";
import type { Walk } from "./family.ts";
import { OvsFamily } from "./ovs-family.ts";
import { headOf, ovsAttributes } from "./ovs-message.ts";
import { type Attributes, type Request, textOf, u32List, u32Of } from "./wire.ts";

// The family ovs_datapath of a kernel in memory.

const MASKS_CACHE_MAX = 4096;
const FEATURES = A.OVS_DP_F_UNALIGNED | A.OVS_DP_F_VPORT_PIDS | A.OVS_DP_F_DISPATCH_UPCALL_PER_CPU;

/** Datapath commands as net/openvswitch/datapath.c has them. */
export class DatapathFamily extends OvsFamily {
  readonly name: string = A.OVS_DATAPATH_FAMILY;
  readonly version: number = A.OVS_DATAPATH_VERSION;
  readonly attributeMax: number = A.OVS_DP_ATTR_IFINDEX - 1;
  readonly groups: readonly string[] = [A.OVS_DATAPATH_MCGROUP];

  run(request: Request, reply: (message: Uint8Array) => void): number {
    const given = ovsAttributes(request);
    if (given === undefined) return EINVAL;
    const { command } = headOf(request);
    const wrong = checkPolicy(given);
    if (wrong !== 0) return wrong;
    if (command === A.OVS_DP_CMD_NEW) return this.#create(request, given);
    if (command < A.OVS_DP_CMD_NEW || command > A.OVS_DP_CMD_SET) return EOPNOTSUPP;
    const dp = this.#find(request, given);
    if (dp === undefined) return ENODEV;
    if (command === A.OVS_DP_CMD_GET) {
      reply(this.#describe(dp, request, A.OVS_DP_CMD_GET));
      return 0;
    }
    if (command === A.OVS_DP_CMD_SET) {
      const errno = change(dp, given);
      if (errno === 0) this.#tell(dp, request, A.OVS_DP_CMD_SET);
      return errno;
    }
    const last = this.#describe(dp, request, A.OVS_DP_CMD_DEL);
    this.remove(dp);
    this.kernel.notify(this.group, last, request);
    return 0;
  }

  dump(request: Request): Walk | undefined {
    if (headOf(request).command !== A.OVS_DP_CMD_GET) return undefined;
    let at = 0;
    return {
      take: () => {
        const dp = [...this.kernel.datapaths.values()][at++];
        return dp && this.#describe(dp, request, A.OVS_DP_CMD_GET, NLM_F_MULTI);
      },
    };
  }

  /** Takes a datapath away, with its ports and flows. */
  remove(dp: DatapathState): void {
    this.kernel.datapaths.delete(dp.index);
    for (const port of dp.ports.values()) {
      if (port.type !== A.OVS_VPORT_TYPE_NETDEV) this.kernel.interfaces.delete(port.name);
    }
  }

  #create(request: Request, given: Attributes): number {
    const { interfaces, datapaths, nextInterface } = this.kernel;
    const name = textOf(given, A.OVS_DP_ATTR_NAME);
    const upcallPortId = u32Of(given, A.OVS_DP_ATTR_UPCALL_PID);
    if (name === undefined || upcallPortId === undefined) return EINVAL;
    const made = newDatapath(name, nextInterface());
    const errno = change(made, given);
    if (errno !== 0) return errno;
    if (!isName(name)) return EINVAL;
    if (interfaces.has(name)) return EEXIST;
    interfaces.set(name, made.index);
    const local = newPort(0, name, A.OVS_VPORT_TYPE_INTERNAL, made.index);
    local.upcallPortIds = [upcallPortId];
    made.ports.set(0, local);
    datapaths.set(made.index, made);
    this.#tell(made, request, A.OVS_DP_CMD_NEW);
    return 0;
  }

  #find(request: Request, given: Attributes): DatapathState | undefined {
    const name = textOf(given, A.OVS_DP_ATTR_NAME);
    if (name === undefined) return this.kernel.byIndex(headOf(request).datapath);
    return this.kernel.byName(name);
  }

  #tell(dp: DatapathState, request: Request, command: number): void {
    this.kernel.notify(this.group, this.#describe(dp, request, command), request);
  }

  // ovs_dp_cmd_fill_info
  #describe(dp: DatapathState, request: Request, command: number, flags = 0): Uint8Array {
    const head = { command, datapath: dp.index, flags, request };
    return this.message(head, (writer) => putDatapath(writer, dp));
  }
}

function putDatapath(writer: AttributeWriter, dp: DatapathState): void {
  writer.string(A.OVS_DP_ATTR_NAME, dp.name);
  const counters = [dp.hit, dp.missed, dp.lost, dp.table.flows.length];
  const at = writer.reserve(A.OVS_DP_ATTR_STATS, 32);
  const { u32 } = writer.memory;
  for (const [i, count] of counters.entries()) {
    u32[(at >> 2) + i * 2] = count;
    u32[(at >> 2) + i * 2 + 1] = 0;
  }
  const megaflow = writer.reserve(A.OVS_DP_ATTR_MEGAFLOW_STATS, 32) >> 2;
  u32.fill(0, megaflow, megaflow + 8);
  u32[megaflow + 2] = dp.table.masks.size;
  writer.u32(A.OVS_DP_ATTR_USER_FEATURES, dp.userFeatures);
  writer.u32(A.OVS_DP_ATTR_MASKS_CACHE_SIZE, dp.masksCacheSize);
  if ((dp.userFeatures & A.OVS_DP_F_DISPATCH_UPCALL_PER_CPU) === 0) return;
  if (dp.perCpuPortIds.length > 0) {
    const ids = new Uint32Array(dp.perCpuPortIds);
    writer.bytes(A.OVS_DP_ATTR_PER_CPU_PIDS, new Uint8Array(ids.buffer));
  }
}

// ovs_dp_change
function change(dp: DatapathState, given: Attributes): number {
  const features = u32Of(given, A.OVS_DP_ATTR_USER_FEATURES) ?? 0;
  if ((features & ~FEATURES) !== 0) return EOPNOTSUPP;
  const slots = u32Of(given, A.OVS_DP_ATTR_MASKS_CACHE_SIZE);
  if (slots !== undefined) {
    if ((slots & (slots - 1)) !== 0) return EINVAL;
    dp.masksCacheSize = slots;
  }
  dp.userFeatures = features;
  const ids = given.get(A.OVS_DP_ATTR_PER_CPU_PIDS);
  if ((features & A.OVS_DP_F_DISPATCH_UPCALL_PER_CPU) !== 0 && ids !== undefined) {
    if (ids.length === 0 || (ids.length & 3) !== 0) return EINVAL;
    dp.perCpuPortIds = u32List(ids);
  }
  return 0;
}

/** As `datapath_policy` has it. */
function checkPolicy(given: Attributes): number {
  const name = given.get(A.OVS_DP_ATTR_NAME);
  if (name !== undefined) {
    const end = name.indexOf(0);
    if (end < 0 || end > 15) return end < 0 ? EINVAL : ERANGE;
  }
  if ((u32Of(given, A.OVS_DP_ATTR_MASKS_CACHE_SIZE) ?? 0) > MASKS_CACHE_MAX) return ERANGE;
  for (const type of NUMBERS) {
    const length = given.get(type)?.length;
    if (length !== undefined && length < 4) return ERANGE;
  }
  return 0;
}

const NUMBERS: readonly number[] = [
  A.OVS_DP_ATTR_UPCALL_PID,
  A.OVS_DP_ATTR_USER_FEATURES,
  A.OVS_DP_ATTR_MASKS_CACHE_SIZE,
];
