import * as uapi from "../../uapi/openvswitch.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import {
  attributeLength,
  attributeType,
  lastAttribute,
  nextAttribute,
} from "../action/attributes.ts";
import { u32At } from "../bytes.ts";
import { ACTION_OF_TYPE } from "../action/table.ts";
import { FEATURE } from "../feature.ts";
import type { ByteRange } from "../parts.ts";
import { checkCt } from "./ct.ts";
import { DP_MAX_PORTS, type MatchFacts } from "./facts.ts";
import type { KernelFeatures } from "./features.ts";
import {
  checkCheckPktLen,
  checkPsample,
  checkSample,
  checkDecTtl,
  checkUserspace,
} from "./nests.ts";
import { type ActionContext, newActionContext } from "./action-context.ts";
import { checkHeaders } from "./header-actions.ts";
import { missingAction } from "./missing-feature.ts";
import { atAction, inList, type Refusal, refuse } from "./refusal.ts";
import { checkSet } from "./set.ts";

/** Deepest nest of lists (`OVS_COPY_ACTIONS_MAX_DEPTH`). */
const ACTIONS_DEPTH_MAX = 16;

/** The minimum length that trunc() leaves, in bytes (`ETH_HLEN`). */
const ETH_HLEN = 14;

/** One context per depth, made once. */
const CONTEXTS: readonly ActionContext[] = Array.from({ length: ACTIONS_DEPTH_MAX + 2 }, (_, i) =>
  newActionContext(i),
);

/**
 * Whether the kernel takes the actions of `start` to `end`, the payload of OVS_FLOW_ATTR_ACTIONS,
 * for packets with these `facts`: `__ovs_nla_copy_actions()` in net/openvswitch/flow_netlink.c.
 * @returns undefined if it does.
 */
export function validateActions(
  facts: MatchFacts,
  bytes: Uint8Array,
  { start, end }: Readonly<ByteRange>,
  features: KernelFeatures,
): Refusal | undefined {
  const context = CONTEXTS[0]!;
  context.facts = facts;
  context.features = features;
  context.bytes = bytes;
  context.ethernet = facts.ethernet;
  context.etherType = facts.etherType;
  context.vlanTci = facts.vlanTci;
  context.mplsLabels = facts.mplsLabels;
  return checkList(context, Math.max(0, start), Math.max(0, end));
}

/** Checks the list of `start` to `end`. */
function checkList(context: ActionContext, start: number, end: number): Refusal | undefined {
  if (context.depth > ACTIONS_DEPTH_MAX)
    return refuse("action.depth", `actions nest at most ${ACTIONS_DEPTH_MAX} deep in the kernel`);
  const { bytes } = context;
  let at = start;
  let index = 0;
  for (let length = attributeLength(bytes, at, end); length > 0; index++) {
    const next = nextAttribute(at, length, end);
    const type = attributeType(bytes, at);
    context.start = at + NLA_HEADER;
    context.end = at + length;
    const refusal = checkAction(context, type, next === end);
    if (refusal !== undefined) return atAction(refusal, nameOf(type), index);
    at = next;
    length = attributeLength(bytes, at, end);
  }
  return at === end
    ? undefined
    : refuse("action.bytes", `left-over bytes that are not an action (${end - at})`);
}

/** Checks the list of `start` to `end`, inside the action of a context. */
function checkNested(outer: ActionContext, start: number, end: number): Refusal | undefined {
  // The nest is too short to hold an attribute.
  if (end > start && end - start < NLA_HEADER)
    return refuse("action.bytes", "a list of actions that holds no whole action");
  const inner = CONTEXTS[outer.depth + 1]!;
  inner.facts = outer.facts;
  inner.features = outer.features;
  inner.bytes = outer.bytes;
  // The kernel looks at the flow's key here, not at the effect of preceding actions.
  inner.ethernet = outer.facts.ethernet;
  inner.etherType = outer.etherType;
  inner.vlanTci = outer.vlanTci;
  inner.mplsLabels = outer.mplsLabels;
  return checkList(inner, start, end);
}

/** Checks the action of a context. @param last whether it is the last of its list */
function checkAction(context: ActionContext, type: number, last: boolean): Refusal | undefined {
  const { bytes, start, end, features } = context;
  const spec = ACTION_OF_TYPE[type];
  if (spec === undefined || type > features.actionMax) return refuseUnknown(type, features);
  const size = end - start;
  if (spec.payload >= 0 && size !== spec.payload) {
    const text = `${spec.name} has ${size} ${size === 1 ? "byte" : "bytes"}: the kernel requires ${spec.payload}`;
    return refuse("action.length", text);
  }
  switch (type) {
    case uapi.OVS_ACTION_ATTR_OUTPUT:
      return checkOutput(u32At(bytes, start));
    case uapi.OVS_ACTION_ATTR_TRUNC:
      if (u32At(bytes, start) >= ETH_HLEN) return undefined;
      return refuse(
        "action.trunc",
        `trunc() leaves at least ${ETH_HLEN} bytes, an Ethernet header`,
      );
    case uapi.OVS_ACTION_ATTR_HASH:
      return checkHash(u32At(bytes, start), features);
    case uapi.OVS_ACTION_ATTR_USERSPACE:
      return checkUserspace(context);
    case uapi.OVS_ACTION_ATTR_SET:
    case uapi.OVS_ACTION_ATTR_SET_MASKED:
      return checkSet(context, type);
    case uapi.OVS_ACTION_ATTR_CT:
      return checkCt(context);
    case uapi.OVS_ACTION_ATTR_DROP:
      return last ? undefined : refuse("action.drop", "drop must be the last action of its list");
    case uapi.OVS_ACTION_ATTR_PSAMPLE:
      return checkPsample(context);
    case uapi.OVS_ACTION_ATTR_CLONE:
      return checkNested(context, start, end);
    default:
      return checkNestedLists(context, type) ?? checkHeaders(context, type);
  }
}

/** Checks the lists in an action's attributes; other actions have nothing to check here. */
function checkNestedLists(context: ActionContext, type: number): Refusal | undefined {
  switch (type) {
    case uapi.OVS_ACTION_ATTR_SAMPLE:
      return checkSample(context) ?? checkNamed(context, uapi.OVS_SAMPLE_ATTR_ACTIONS, "actions");
    case uapi.OVS_ACTION_ATTR_DEC_TTL:
      return checkDecTtl(context) ?? checkNamed(context, uapi.OVS_DEC_TTL_ATTR_ACTION, "le_1");
    case uapi.OVS_ACTION_ATTR_CHECK_PKT_LEN:
      return (
        checkCheckPktLen(context) ??
        checkNamed(context, uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL, "le") ??
        checkNamed(context, uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER, "gt")
      );
    default:
      return undefined;
  }
}

/** Checks the list in the attribute of a type. @param name its name in text */
function checkNamed(context: ActionContext, type: number, name: string): Refusal | undefined {
  const { bytes, start, end } = context;
  const found = lastAttribute(bytes, start, end, type);
  if (found < 0) return undefined;
  const listEnd = found + attributeLength(bytes, found, end);
  const refusal = checkNested(context, found + NLA_HEADER, listEnd);
  return refusal === undefined ? undefined : inList(refusal, name);
}

function nameOf(type: number): string {
  return ACTION_OF_TYPE[type]?.name ?? `action${type}`;
}

function refuseUnknown(type: number, features: KernelFeatures): Refusal {
  const spec = ACTION_OF_TYPE[type];
  if (spec === undefined)
    return refuse("action.unknown", `action ${type}: the kernel knows 1 to ${features.actionMax}`);
  return refuse(
    "action.unsupported",
    `this kernel does not have ${spec.name}`,
    missingAction(spec),
  );
}

function checkOutput(port: number): Refusal | undefined {
  if (port < DP_MAX_PORTS) return undefined;
  return refuse("action.output", `output to port ${port}: ports are below ${DP_MAX_PORTS}`);
}

function checkHash(algorithm: number, features: KernelFeatures): Refusal | undefined {
  if (algorithm === uapi.OVS_HASH_ALG_L4) return undefined;
  if (algorithm !== uapi.OVS_HASH_ALG_SYM_L4)
    return refuse("action.hash", `hash algorithm ${algorithm}: the kernel knows l4 and sym_l4`);
  if (features.hashSymL4) return undefined;
  return refuse("action.hash", "this kernel has hash(l4()) only", FEATURE.hashSymL4);
}
