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
import { checkHeaders, type Walk } from "./header-actions.ts";
import { lackingAction } from "./lacking.ts";
import { atAction, inList, type Refusal, refuse } from "./refusal.ts";
import { checkSet } from "./set.ts";

/** Deepest nest of lists (`OVS_COPY_ACTIONS_MAX_DEPTH`). */
const ACTIONS_DEPTH_MAX = 16;

/** Least bytes that trunc() leaves (`ETH_HLEN`). */
const ETH_HLEN = 14;

/** One for each depth, made once. */
const WALKS: readonly Walk[] = Array.from({ length: ACTIONS_DEPTH_MAX + 2 }, () => ({
  ethernet: true,
  etherType: 0,
  vlanTci: 0,
  mplsLabels: 0,
}));

/**
 * Whether the kernel takes the actions of `start` to `end`, the payload of OVS_FLOW_ATTR_ACTIONS, for
 * packets of which `facts` holds: `__ovs_nla_copy_actions()` in net/openvswitch/flow_netlink.c.
 * @returns undefined where it does.
 */
export function validateActions(
  facts: MatchFacts,
  bytes: Uint8Array,
  start: number,
  end: number,
  features: KernelFeatures,
): Refusal | undefined {
  const walk = WALKS[0]!;
  walk.ethernet = facts.ethernet;
  walk.etherType = facts.etherType;
  walk.vlanTci = facts.vlanTci;
  walk.mplsLabels = facts.mplsLabels;
  return checkList(facts, bytes, start, end, features, 0);
}

function checkList(
  facts: MatchFacts,
  bytes: Uint8Array,
  start: number,
  end: number,
  features: KernelFeatures,
  depth: number,
): Refusal | undefined {
  if (depth > ACTIONS_DEPTH_MAX)
    return refuse("action.depth", `actions nest at most ${ACTIONS_DEPTH_MAX} deep in the kernel`);
  let at = start;
  let index = 0;
  for (let length = attributeLength(bytes, at, end); length > 0; index++) {
    const next = nextAttribute(at, length, end);
    const refusal = checkAction(facts, bytes, at, length, next === end, features, depth);
    if (refusal !== undefined) return atAction(refusal, nameOf(attributeType(bytes, at)), index);
    at = next;
    length = attributeLength(bytes, at, end);
  }
  return at === end
    ? undefined
    : refuse("action.bytes", `left-over bytes that are no action (${end - at})`);
}

/** Checks a list inside the action that is being looked at. */
function checkNested(
  facts: MatchFacts,
  bytes: Uint8Array,
  start: number,
  end: number,
  features: KernelFeatures,
  depth: number,
): Refusal | undefined {
  // nla_len() of a nest that is too short to hold anything.
  if (end > start && end - start < NLA_HEADER)
    return refuse("action.bytes", "a list of actions that holds no whole action");
  const outer = WALKS[depth]!;
  const inner = WALKS[depth + 1]!;
  inner.ethernet = facts.ethernet;
  inner.etherType = outer.etherType;
  inner.vlanTci = outer.vlanTci;
  inner.mplsLabels = outer.mplsLabels;
  return checkList(facts, bytes, start, end, features, depth + 1);
}

function checkAction(
  facts: MatchFacts,
  bytes: Uint8Array,
  at: number,
  length: number,
  last: boolean,
  features: KernelFeatures,
  depth: number,
): Refusal | undefined {
  const type = attributeType(bytes, at);
  const spec = ACTION_OF_TYPE[type];
  if (spec === undefined || type > features.actionMax) return refuseUnknown(type, features);
  const start = at + NLA_HEADER;
  const end = at + length;
  if (spec.payload >= 0 && length - NLA_HEADER !== spec.payload) {
    const size = length - NLA_HEADER;
    const text = `${spec.name} has ${size} ${size === 1 ? "byte" : "bytes"}: the kernel wants ${spec.payload}`;
    return refuse("action.length", text);
  }
  const walk = WALKS[depth]!;
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
      return checkUserspace(bytes, start, end);
    case uapi.OVS_ACTION_ATTR_SET:
    case uapi.OVS_ACTION_ATTR_SET_MASKED:
      return checkSet(facts, walk, bytes, start, end, type, features);
    case uapi.OVS_ACTION_ATTR_CT:
      return checkCt(facts, bytes, start, end, features);
    case uapi.OVS_ACTION_ATTR_DROP:
      return last ? undefined : refuse("action.drop", "drop must be the last action of its list");
    case uapi.OVS_ACTION_ATTR_PSAMPLE:
      return checkPsample(bytes, at, length, features);
    case uapi.OVS_ACTION_ATTR_CLONE:
      return checkNested(facts, bytes, start, end, features, depth);
    default:
      return (
        checkNestedLists(facts, bytes, at, length, features, depth) ??
        checkHeaders(facts, walk, bytes, start, end, type)
      );
  }
}

/** Checks the actions that hold lists in attributes; there is nothing to refuse in others. */
function checkNestedLists(
  facts: MatchFacts,
  bytes: Uint8Array,
  at: number,
  length: number,
  features: KernelFeatures,
  depth: number,
): Refusal | undefined {
  const start = at + NLA_HEADER;
  const end = at + length;
  switch (attributeType(bytes, at)) {
    case uapi.OVS_ACTION_ATTR_SAMPLE:
      return (
        checkSample(bytes, start, end) ??
        checkLists(
          facts,
          bytes,
          start,
          end,
          features,
          depth,
          uapi.OVS_SAMPLE_ATTR_ACTIONS,
          "actions",
        )
      );
    case uapi.OVS_ACTION_ATTR_DEC_TTL:
      return (
        checkDecTtl(bytes, start, end) ??
        checkLists(facts, bytes, start, end, features, depth, uapi.OVS_DEC_TTL_ATTR_ACTION, "le_1")
      );
    case uapi.OVS_ACTION_ATTR_CHECK_PKT_LEN:
      return (
        checkCheckPktLen(bytes, start, end) ??
        checkLists(
          facts,
          bytes,
          start,
          end,
          features,
          depth,
          uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL,
          "le",
        ) ??
        checkLists(
          facts,
          bytes,
          start,
          end,
          features,
          depth,
          uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER,
          "gt",
        )
      );
    default:
      return undefined;
  }
}

/** Checks the list in the attribute of a type. @param name what it is called in text */
function checkLists(
  facts: MatchFacts,
  bytes: Uint8Array,
  start: number,
  end: number,
  features: KernelFeatures,
  depth: number,
  type: number,
  name: string,
): Refusal | undefined {
  const found = lastAttribute(bytes, start, end, type);
  if (found < 0) return undefined;
  const listEnd = found + attributeLength(bytes, found, end);
  const refusal = checkNested(facts, bytes, found + NLA_HEADER, listEnd, features, depth);
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
    lackingAction(spec),
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
