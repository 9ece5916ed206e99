import { MD2_MAX } from "../action/nsh.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import {
  attributeLength,
  attributeType,
  lastAttribute,
  nextAttribute,
} from "../action/attributes.ts";
import { u16At, u32At } from "../bytes.ts";
import { FEATURE } from "../feature.ts";
import type { ActionContext } from "./action-context.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { NLA_F_NESTED } from "../../uapi/netlink.ts";

/**
 * `validate_userspace()`: the last PID counts, and must not be 0. The kernel parses it liberally:
 * unknown attributes and left-over bytes are no error.
 */
export function checkUserspace({ bytes, start, end }: ActionContext): Refusal | undefined {
  let pid = 0;
  let short = false;
  for (let at = start; at < end;) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) break;
    const type = attributeType(bytes, at);
    const isNumber =
      type === uapi.OVS_USERSPACE_ATTR_PID || type === uapi.OVS_USERSPACE_ATTR_EGRESS_TUN_PORT;
    if (isNumber && length < NLA_HEADER + 4) short = true;
    else if (type === uapi.OVS_USERSPACE_ATTR_PID) pid = u32At(bytes, at + NLA_HEADER);
    at = nextAttribute(at, length, end);
  }
  if (short) return refuse("action.userspace", "userspace: pid and tunnel_out_port have 32 bits");
  if (pid !== 0) return undefined;
  return refuse("action.userspace", "userspace(pid=N): the port id must be there, and not be 0");
}

/** `validate_and_copy_sample()`, without the list. */
export function checkSample(context: ActionContext): Refusal | undefined {
  const { bytes, start, end } = context;
  const max = uapi.OVS_SAMPLE_ATTR_ACTIONS;
  const seen = attributesOf(context, max, false);
  if (seen < 0) return refuse("action.sample", "sample: an attribute twice, or one unknown");
  const probability = lastAttribute(bytes, start, end, uapi.OVS_SAMPLE_ATTR_PROBABILITY);
  if (probability < 0 || attributeLength(bytes, probability, end) !== NLA_HEADER + 4)
    return refuse("action.sample", "sample() needs sample=P%");
  if (((seen >>> uapi.OVS_SAMPLE_ATTR_ACTIONS) & 1) === 0)
    return refuse("action.sample", "sample() needs actions()");
  return undefined;
}

/** `validate_and_copy_dec_ttl()`, without the list. It ignores unknown attributes. */
export function checkDecTtl(context: ActionContext): Refusal | undefined {
  const seen = attributesOf(context, uapi.OVS_DEC_TTL_ATTR_ACTION, true);
  if (seen < 0) return refuse("action.dec_ttl", "dec_ttl: an attribute twice, or left-over bytes");
  if (((seen >>> uapi.OVS_DEC_TTL_ATTR_ACTION) & 1) === 1) return undefined;
  return refuse("action.dec_ttl", "dec_ttl() needs le_1()");
}

/** `validate_and_copy_check_pkt_len()`, without the lists. */
export function checkCheckPktLen({ bytes, start, end }: ActionContext): Refusal | undefined {
  const rule = "action.check_pkt_len";
  let at = start;
  while (at < end) {
    const length = attributeLength(bytes, at, end);
    const type = length === 0 ? 0 : attributeType(bytes, at);
    if (type === 0 || type > uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL)
      return refuse(rule, "check_pkt_len: an attribute that the kernel does not know");
    const payload = length - NLA_HEADER;
    const fits =
      type === uapi.OVS_CHECK_PKT_LEN_ATTR_PKT_LEN
        ? payload >= 2
        : payload === 0 || payload >= NLA_HEADER;
    if (!fits) return refuse(rule, "check_pkt_len: an attribute that is too short");
    at = nextAttribute(at, length, end);
  }
  const size = lastAttribute(bytes, start, end, uapi.OVS_CHECK_PKT_LEN_ATTR_PKT_LEN);
  if (size < 0 || u16At(bytes, size + NLA_HEADER) === 0)
    return refuse(rule, "check_pkt_len needs size=N, from 1");
  const greater = lastAttribute(bytes, start, end, uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER);
  const less = lastAttribute(bytes, start, end, uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL);
  if (greater < 0 || less < 0) return refuse(rule, "check_pkt_len needs both gt() and le()");
  return undefined;
}

/** `validate_psample()`: the only nest that the kernel parses strictly, including NLA_F_NESTED. */
export function checkPsample(context: ActionContext): Refusal | undefined {
  const { bytes, start, end, features } = context;
  const rule = "action.psample";
  if (!features.psample)
    return refuse(rule, "this kernel was built without psample", FEATURE.psample);
  // The upper byte of the type is right before the payload.
  if ((bytes[start - 1]! & (NLA_F_NESTED >> 8)) === 0)
    return refuse(rule, "psample: the attribute must carry NLA_F_NESTED");
  let group = false;
  let at = start;
  while (at < end) {
    const size = attributeLength(bytes, at, end) - NLA_HEADER;
    const type = size < 0 ? 0 : attributeType(bytes, at);
    if (type === uapi.OVS_PSAMPLE_ATTR_GROUP) {
      if (size !== 4) return refuse(rule, "psample: the group has 32 bits");
      group = true;
    } else if (type !== uapi.OVS_PSAMPLE_ATTR_COOKIE) {
      return refuse(rule, "psample: an attribute that the kernel does not know");
    } else if (size > uapi.OVS_PSAMPLE_COOKIE_MAX_SIZE) {
      return refuse(rule, "psample: the cookie has at most 16 bytes");
    }
    at = nextAttribute(at, size + NLA_HEADER, end);
  }
  return group ? undefined : refuse(rule, "psample() needs group=N");
}

/** `validate_push_nsh()`: one NSH header, with a base, and metadata of the kind that it names. */
export function checkPushNsh({ bytes, start, end }: ActionContext): Refusal | undefined {
  const rule = "action.push_nsh";
  const length = attributeLength(bytes, start, end);
  const isOnly = length > 0 && start + ((length + 3) & ~3) === end;
  if (!isOnly || attributeType(bytes, start) !== uapi.OVS_KEY_ATTR_NSH)
    return refuse(rule, "push_nsh holds one NSH header");
  const inner = start + length;
  let mdtype = -1;
  let md1 = false;
  let md2 = false;
  let at = start + NLA_HEADER;
  while (at < inner) {
    const size = attributeLength(bytes, at, inner) - NLA_HEADER;
    const type = size < 0 ? 0 : attributeType(bytes, at);
    const wanted = type === uapi.OVS_NSH_KEY_ATTR_BASE ? 8 : 16;
    if (type === uapi.OVS_NSH_KEY_ATTR_MD2) {
      if (size > MD2_MAX || size === 0)
        return refuse(rule, `push_nsh: md2 has 1 to ${MD2_MAX} bytes`);
      md2 = true;
    } else if (type === 0 || type > uapi.OVS_NSH_KEY_ATTR_MD2 || size !== wanted) {
      return refuse(rule, "push_nsh: an attribute that the kernel does not know");
    } else if (type === uapi.OVS_NSH_KEY_ATTR_BASE) {
      mdtype = bytes[at + NLA_HEADER + 2]!;
    } else {
      md1 = true;
    }
    at = nextAttribute(at, size + NLA_HEADER, inner);
  }
  if (mdtype < 0 || md1 === md2) return refuse(rule, "push_nsh needs c1= to c4=, or md2=0x…");
  if (md1 && mdtype !== 1) return refuse(rule, `push_nsh: mdtype=${mdtype} with c1= to c4=, not 1`);
  if (md2 && mdtype !== 2) return refuse(rule, `push_nsh: mdtype=${mdtype} with md2=, not 2`);
  return undefined;
}

/**
 * A bit for each attribute that an action holds; -1 if one occurs twice, is malformed or (unless
 * `liberal`) has a type above `max`, or if bytes are left over.
 */
function attributesOf({ bytes, start, end }: ActionContext, max: number, liberal: boolean): number {
  let seen = 0;
  let at = start;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    const type = attributeType(bytes, at);
    if (type <= max) {
      if (type === 0 || ((seen >>> type) & 1) === 1) return -1;
      seen |= 1 << type;
    } else if (!liberal) {
      return -1;
    }
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  return at === end ? seen : -1;
}
