import { brokenRule } from "../flow/rules/validate.ts";
import { type FlowParts, newFlowParts } from "../flow/parts.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { EEXIST, EINVAL, ENODEV, ENOENT, ERANGE, EOPNOTSUPP } from "../sys/errno.ts";
import { NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_MULTI } from "../uapi/netlink.ts";
import * as A from "../uapi/openvswitch.ts";
import type { DatapathState } from "./datapath-state.ts";
import type { Walk } from "./family.ts";
import {
  hasEmptyTag,
  hasZeroType,
  isKey,
  isOddMask,
  newFlow,
  type NewFlow,
  readExactKey,
} from "./flow-match.ts";
import type { HeldFlow } from "./flow-table.ts";
import { type Attributes, type Request, u32Of } from "./wire.ts";
import { OvsFamily } from "./ovs-family.ts";
import { headOf, ovsAttributes } from "./ovs-message.ts";

// The family ovs_flow of a kernel in memory.

const UFID_MAX = 16;

/** What a request of the family names a flow by. */
type Name = { readonly ufid: Uint8Array | undefined; readonly key: Uint8Array | undefined };

/** Flow commands as net/openvswitch/datapath.c has them. */
export class FlowFamily extends OvsFamily {
  readonly name: string = A.OVS_FLOW_FAMILY;
  readonly version: number = A.OVS_FLOW_VERSION;
  readonly attributeMax: number = A.OVS_FLOW_ATTR_UFID_FLAGS + 1;
  readonly groups: readonly string[] = [A.OVS_FLOW_MCGROUP];

  run(request: Request, reply: (message: Uint8Array) => void): number {
    const { command } = headOf(request);
    const given = ovsAttributes(request);
    if (given === undefined || !KNOWN.has(command)) return given ? EOPNOTSUPP : EINVAL;
    const wrong = checkPolicy(given);
    if (wrong !== 0) return wrong;
    const name = { ufid: ufidOf(given), key: given.get(A.OVS_FLOW_ATTR_KEY) };
    if (command === A.OVS_FLOW_CMD_NEW) return this.#create(request, given, name);
    if (command === A.OVS_FLOW_CMD_SET) return this.#change(request, given, name);
    if (command === A.OVS_FLOW_CMD_DEL) return this.#delete(request, given, name);
    return this.#read(request, given, name, reply);
  }

  dump(request: Request): Walk | undefined {
    if (headOf(request).command !== A.OVS_FLOW_CMD_GET) return undefined;
    const given = ovsAttributes(request) ?? new Map();
    const wrong = checkPolicy(given);
    if (wrong !== 0) return { take: () => wrong };
    const omit = omitOf(given);
    let at = 0;
    return {
      take: () => {
        const dp = this.#datapathOf(request);
        if (dp === undefined) return ENODEV;
        // As the kernel walks: by place, whatever has come and gone meanwhile.
        const flow = dp.table.flows[at++];
        if (flow === undefined) return undefined;
        return this.#describe(flow, request, A.OVS_FLOW_CMD_GET, omit, NLM_F_MULTI);
      },
      move: (by) => {
        at = Math.max(0, at + by);
      },
    };
  }

  // ovs_flow_cmd_new
  #create(request: Request, given: Attributes, { ufid, key }: Name): number {
    const actions = given.get(A.OVS_FLOW_ATTR_ACTIONS);
    if (key === undefined || actions === undefined) return EINVAL;
    const mask = given.get(A.OVS_FLOW_ATTR_MASK);
    if (this.#isRefused(key, mask, actions) || isOdd(key, mask)) return EINVAL;
    const made = newFlow(key, mask, ufid, this.kernel.features);
    if (made === undefined) return EINVAL;
    const dp = this.#datapathOf(request);
    if (dp === undefined) return ENODEV;
    const held = this.#meets(dp, made);
    if (held === undefined) {
      const flow = dp.table.insert(made, actions.slice());
      this.#tell(flow, request, A.OVS_FLOW_CMD_NEW, given);
      return 0;
    }
    if ((request.flags & (NLM_F_CREATE | NLM_F_EXCL)) !== 0) return EEXIST;
    let same: HeldFlow | undefined = held;
    if (!dp.table.isSame(held, made.exact)) {
      same = held.ufid === undefined ? dp.table.lookUpExact(made.exact) : undefined;
    }
    if (same === undefined) return ENOENT;
    dp.table.setActions(same, actions.slice());
    this.#tell(same, request, A.OVS_FLOW_CMD_NEW, given);
    return 0;
  }

  #meets({ table }: DatapathState, { ufid, exact }: NewFlow): HeldFlow | undefined {
    return (ufid === undefined ? undefined : table.byUfid(ufid)) ?? table.lookUp(exact);
  }

  // ovs_flow_cmd_set
  #change(request: Request, given: Attributes, name: Name): number {
    const { ufid, key } = name;
    const actions = given.get(A.OVS_FLOW_ATTR_ACTIONS);
    if (key === undefined && (ufid === undefined || actions !== undefined)) return EINVAL;
    const mask = given.get(A.OVS_FLOW_ATTR_MASK);
    if (key !== undefined && (this.#isRefused(key, mask, actions) || isOdd(key, mask))) {
      return EINVAL;
    }
    const dp = this.#datapathOf(request);
    if (dp === undefined) return ENODEV;
    const held = find(dp, name);
    if (held === undefined) return ENOENT;
    if (actions !== undefined) dp.table.setActions(held, actions.slice());
    if (given.has(A.OVS_FLOW_ATTR_CLEAR)) {
      held.packets = held.byteCount = held.usedMs = held.tcpFlags = 0;
    }
    this.#tell(held, request, A.OVS_FLOW_CMD_SET, given);
    return 0;
  }

  // ovs_flow_cmd_del
  #delete(request: Request, given: Attributes, name: Name): number {
    if (name.key !== undefined && this.#isRefused(name.key, undefined, undefined)) return EINVAL;
    const dp = this.#datapathOf(request);
    if (dp === undefined) return ENODEV;
    if (name.key === undefined && name.ufid === undefined) {
      dp.table.flush();
      return 0;
    }
    const held = find(dp, name);
    if (held === undefined) return ENOENT;
    dp.table.remove(held);
    this.#tell(held, request, A.OVS_FLOW_CMD_DEL, given);
    return 0;
  }

  // ovs_flow_cmd_get
  #read(
    request: Request,
    given: Attributes,
    name: Name,
    reply: (message: Uint8Array) => void,
  ): number {
    if (name.key === undefined && name.ufid === undefined) return EINVAL;
    if (name.key !== undefined && this.#isRefused(name.key, undefined, undefined)) return EINVAL;
    const dp = this.#datapathOf(request);
    if (dp === undefined) return ENODEV;
    const held = find(dp, name);
    if (held === undefined) return ENOENT;
    reply(this.#describe(held, request, A.OVS_FLOW_CMD_GET, omitOf(given)));
    return 0;
  }

  /** Whether the kernel takes a key, its mask and actions; without a mask every bit is matched. */
  #isRefused(
    key: Uint8Array,
    mask: Uint8Array | undefined,
    actions: Uint8Array | undefined,
  ): boolean {
    const none = new Uint8Array(0);
    const parts = [key, mask ?? none, actions ?? none];
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let end = 0;
    const ranges = parts.map((part) => {
      bytes.set(part, end);
      end += part.length;
      return { start: end - part.length, end };
    });
    const [keyRange = NO_RANGE, maskRange = NO_RANGE, actionRange = NO_RANGE] = ranges;
    const sent: FlowParts = {
      ...newFlowParts(),
      bytes,
      key: keyRange,
      mask: mask === undefined ? NO_RANGE : maskRange,
      actions: actionRange,
    };
    if (!isKey(key) || hasZeroType(key)) return true;
    return brokenRule(sent, this.kernel.features) !== undefined;
  }

  // Who asked for an echo, and who listens (ovs_notify).
  #tell(flow: HeldFlow, request: Request, command: number, given: Attributes): void {
    const { group } = this;
    const isWanted = (request.flags & NLM_F_ECHO) !== 0 || this.kernel.hasListeners(group);
    if (!isWanted) return;
    this.kernel.notify(group, this.#describe(flow, request, command, omitOf(given)), request);
  }

  #datapathOf(request: Request): DatapathState | undefined {
    return this.kernel.byIndex(headOf(request).datapath);
  }

  // ovs_flow_cmd_fill_info
  #describe(
    flow: HeldFlow,
    request: Request,
    command: number,
    omit: number,
    flags = 0,
  ): Uint8Array {
    const { datapath } = headOf(request);
    return this.message({ command, datapath, flags, request }, (writer) =>
      putFlow(writer, flow, omit),
    );
  }
}

const NO_RANGE = { start: -1, end: -1 };
const KNOWN: ReadonlySet<number> = new Set([
  A.OVS_FLOW_CMD_NEW,
  A.OVS_FLOW_CMD_DEL,
  A.OVS_FLOW_CMD_GET,
  A.OVS_FLOW_CMD_SET,
]);

function putFlow(writer: AttributeWriter, flow: HeldFlow, omit: number): void {
  const { ufid } = flow;
  if (ufid !== undefined) writer.bytes(A.OVS_FLOW_ATTR_UFID, ufid);
  if (ufid === undefined || (omit & A.OVS_UFID_F_OMIT_KEY) === 0) {
    writer.bytes(A.OVS_FLOW_ATTR_KEY, flow.keyBytes);
  }
  if ((omit & A.OVS_UFID_F_OMIT_MASK) === 0) writer.bytes(A.OVS_FLOW_ATTR_MASK, flow.maskBytes);
  if (flow.usedMs > 0) putCounter(writer, A.OVS_FLOW_ATTR_USED, flow.usedMs);
  if (flow.packets > 0) {
    const at = writer.reserve(A.OVS_FLOW_ATTR_STATS, 16);
    setCounter(writer, at, flow.packets);
    setCounter(writer, at + 8, flow.byteCount);
  }
  if (flow.tcpFlags > 0) writer.u8(A.OVS_FLOW_ATTR_TCP_FLAGS, flow.tcpFlags);
  if ((omit & A.OVS_UFID_F_OMIT_ACTIONS) === 0) {
    writer.bytes(A.OVS_FLOW_ATTR_ACTIONS, flow.actions);
  }
}

function putCounter(writer: AttributeWriter, type: number, value: number): void {
  writer.u64(type, value >>> 0, Math.floor(value / 2 ** 32));
}

function setCounter({ memory }: AttributeWriter, at: number, value: number): void {
  memory.u32[at >> 2] = value >>> 0;
  memory.u32[(at >> 2) + 1] = Math.floor(value / 2 ** 32);
}

function isOdd(key: Uint8Array, mask: Uint8Array | undefined): boolean {
  return mask === undefined ? hasEmptyTag(key) : isOddMask(key, mask);
}

function find({ table }: DatapathState, { ufid, key }: Name): HeldFlow | undefined {
  if (ufid !== undefined) return table.byUfid(ufid);
  const exact = key === undefined ? undefined : readExactKey(key);
  return exact === undefined ? undefined : table.lookUpExact(exact);
}

function omitOf(given: Attributes): number {
  return u32Of(given, A.OVS_FLOW_ATTR_UFID_FLAGS) ?? 0;
}

// One that is too long counts as absent (get_ufid_len).
function ufidOf(given: Attributes): Uint8Array | undefined {
  const ufid = given.get(A.OVS_FLOW_ATTR_UFID);
  return ufid === undefined || ufid.length > UFID_MAX ? undefined : ufid.slice();
}

/** As `flow_policy` has it. */
function checkPolicy(given: Attributes): number {
  if (given.get(A.OVS_FLOW_ATTR_UFID)?.length === 0) return ERANGE;
  const flags = given.get(A.OVS_FLOW_ATTR_UFID_FLAGS);
  if (flags !== undefined && flags.length < 4) return ERANGE;
  for (const flag of [A.OVS_FLOW_ATTR_CLEAR, A.OVS_FLOW_ATTR_PROBE]) {
    if ((given.get(flag)?.length ?? 0) > 0) return ERANGE;
  }
  for (const nest of [A.OVS_FLOW_ATTR_KEY, A.OVS_FLOW_ATTR_MASK, A.OVS_FLOW_ATTR_ACTIONS]) {
    const length = given.get(nest)?.length ?? 0;
    if (length > 0 && length < 4) return ERANGE;
  }
  return 0;
}
