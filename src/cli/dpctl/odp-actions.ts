import { printActions } from "../../flow/action/print.ts";
import { ACTION_OF_TYPE } from "../../flow/action/table.ts";
import { be16At, u16At, u32At } from "../../flow/bytes.ts";
import { CLOSE, COMMA, OPEN } from "../../flow/text/ascii.ts";
import type { TextSink } from "../../flow/text/sink.ts";
import { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import { printOdpSetNsh, printOdpVlan } from "./odp-headers.ts";
import { printOdpAttribute } from "./odp-key.ts";
import { printHex } from "./odp-tunnel.ts";
import { printOdpPort, printOdpUserspace } from "./odp-userspace.ts";
import { attributesOf, isZeros, payloadOf } from "./odp.ts";
import type { PortNames } from "../../flow/ports.ts";

/** Prints a list of actions (`format_odp_actions`); an empty one is `drop`. */
export function printOdpActions(
  out: TextSink,
  list: Uint8Array,
  ports: PortNames | undefined,
): void {
  if (list.length === 0) out.text("drop");
  let first = true;
  for (const [type, payload] of attributesOf(list)) {
    if (!first) out.byte(COMMA);
    first = false;
    printAction(out, type, payload, ports);
  }
}

function printAction(
  out: TextSink,
  type: number,
  payload: Uint8Array,
  ports: PortNames | undefined,
): void {
  const expected = ACTION_OF_TYPE[type]?.payload;
  if (expected === undefined || (expected >= 0 && expected !== payload.length)) {
    out.text(`bad length ${payload.length}, expected ${expected ?? -1} for: `);
    printPlain(out, type, payload);
    return;
  }
  switch (type) {
    case uapi.OVS_ACTION_ATTR_OUTPUT:
      printOdpPort(out, u32At(payload, 0), ports);
      return;
    case uapi.OVS_ACTION_ATTR_USERSPACE:
      printOdpUserspace(out, payload, ports);
      return;
    case uapi.OVS_ACTION_ATTR_SET:
    case uapi.OVS_ACTION_ATTR_SET_MASKED:
      printSet(out, payload, type === uapi.OVS_ACTION_ATTR_SET_MASKED);
      return;
    case uapi.OVS_ACTION_ATTR_PUSH_VLAN: {
      const tpid = be16At(payload, 0);
      out.text("push_vlan(");
      if (tpid !== ETH_P_8021Q) out.text(`tpid=0x${tpid.toString(16).padStart(4, "0")},`);
      printOdpVlan(out, payload.subarray(2), "exact", false);
      out.byte(CLOSE);
      return;
    }
    case uapi.OVS_ACTION_ATTR_DROP:
      out.text("drop");
      return;
    case uapi.OVS_ACTION_ATTR_PSAMPLE: {
      const group = payloadOf(payload, uapi.OVS_PSAMPLE_ATTR_GROUP);
      const cookie = payloadOf(payload, uapi.OVS_PSAMPLE_ATTR_COOKIE);
      out.text(`psample(group=${group === undefined ? 0 : u32At(group, 0)}`);
      if (cookie !== undefined) out.text(",cookie=");
      if (cookie !== undefined) printHex(out, cookie);
      out.byte(CLOSE);
      return;
    }
    case uapi.OVS_ACTION_ATTR_PUSH_NSH:
      printPushNsh(out, payload);
      return;
    case uapi.OVS_ACTION_ATTR_ADD_MPLS: {
      // OVS does not print the flags.
      const told = payload.slice();
      told.fill(0, ADD_MPLS_FLAGS_AT);
      printPlain(out, type, told);
      return;
    }
    case uapi.OVS_ACTION_ATTR_CT:
      printConntrack(out, payload);
      return;
    default:
      if (!printLists(out, type, payload, ports)) printPlain(out, type, payload);
  }
}

/** Prints an action that holds lists of actions. @returns false for any other action */
function printLists(
  out: TextSink,
  type: number,
  payload: Uint8Array,
  ports: PortNames | undefined,
): boolean {
  const listOf = (attribute: number): void =>
    printOdpActions(out, payloadOf(payload, attribute) ?? EMPTY, ports);
  switch (type) {
    case uapi.OVS_ACTION_ATTR_SAMPLE: {
      const share = payloadOf(payload, uapi.OVS_SAMPLE_ATTR_PROBABILITY);
      const percentage = ((share === undefined ? 0 : u32At(share, 0)) * 100) / 0xffff_ffff;
      out.text(`sample(sample=${percentage.toFixed(1)}%,actions(`);
      listOf(uapi.OVS_SAMPLE_ATTR_ACTIONS);
      out.text("))");
      return true;
    }
    case uapi.OVS_ACTION_ATTR_CLONE:
      out.text("clone(");
      printOdpActions(out, payload, ports);
      out.byte(CLOSE);
      return true;
    case uapi.OVS_ACTION_ATTR_CHECK_PKT_LEN: {
      const size = payloadOf(payload, uapi.OVS_CHECK_PKT_LEN_ATTR_PKT_LEN);
      out.text(`check_pkt_len(size=${size === undefined ? 0 : u16At(size, 0)},gt(`);
      listOf(uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER);
      out.text("),le(");
      listOf(uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL);
      out.text("))");
      return true;
    }
    case uapi.OVS_ACTION_ATTR_DEC_TTL:
      out.text("dec_ttl(le_1(");
      listOf(uapi.OVS_DEC_TTL_ATTR_ACTION);
      out.text("))");
      return true;
    default:
      return false;
  }
}

const ETH_P_8021Q = 0x8100;
const EMPTY = new Uint8Array(0);
/** Offset of the flags in `struct ovs_action_add_mpls`, after the label and the Ethernet type. */
const ADD_MPLS_FLAGS_AT = 6;

/** Prints `set(…)` of one attribute; if `masked`, its value is followed by its mask. */
function printSet(out: TextSink, payload: Uint8Array, masked: boolean): void {
  const [first] = attributesOf(payload);
  if (first === undefined) return;
  const [type, value] = first;
  const style = { verbose: !masked, ports: undefined };
  const half = value.length / 2;
  out.text("set(");
  if (masked && type === uapi.OVS_KEY_ATTR_NSH) {
    out.text("nsh(");
    printOdpSetNsh(out, value);
    out.byte(CLOSE);
  } else if (masked) {
    printOdpAttribute(out, type, value.subarray(0, half), value.subarray(half), style);
  } else {
    printOdpAttribute(out, type, value, "exact", style);
  }
  out.byte(CLOSE);
}

/** OVS prints metadata of type 2 without leading zeros. */
function printPushNsh(out: TextSink, payload: Uint8Array): void {
  const header = payloadOf(payload, uapi.OVS_KEY_ATTR_NSH) ?? EMPTY;
  const metadata = payloadOf(header, uapi.OVS_NSH_KEY_ATTR_MD2);
  const start = out.length;
  printPlain(out, uapi.OVS_ACTION_ATTR_PUSH_NSH, payload);
  if (metadata === undefined) return;
  const text = new TextDecoder().decode(out.bytes.subarray(start, out.length));
  out.truncate(start + text.indexOf("md2=") + "md2=".length);
  printHex(out, metadata);
  out.byte(CLOSE);
}

/** Prints `ct(…)` without the events; errors in a nat() have OVS's messages. */
function printConntrack(out: TextSink, payload: Uint8Array): void {
  const nat = payloadOf(payload, uapi.OVS_CT_ATTR_NAT);
  const error = nat === undefined ? undefined : natError(nat);
  WRITER.reset(0, WRITER.memory.size);
  const action = WRITER.nest(uapi.OVS_ACTION_ATTR_CT);
  for (const [type, value] of attributesOf(payload)) {
    if (type === uapi.OVS_CT_ATTR_EVENTMASK) continue;
    if (type !== uapi.OVS_CT_ATTR_NAT) WRITER.bytes(type, value);
    else if (error === undefined) writeNat(value);
  }
  WRITER.endNest(action);
  printActions(out, WRITER.memory.u8, 0, WRITER.position);
  if (error === undefined) return;
  const isOpen = out.bytes[out.length - 1] === CLOSE;
  if (isOpen) out.truncate(out.length - 1);
  out.byte(isOpen ? COMMA : OPEN);
  out.text(`nat(${error}))`);
}

/** The errors of `format_odp_ct_nat` that can occur in a kernel's flow. */
function natError(nat: Uint8Array): string | undefined {
  const address = payloadOf(nat, uapi.OVS_NAT_ATTR_IP_MIN);
  const port = payloadOf(nat, uapi.OVS_NAT_ATTR_PROTO_MIN);
  if (address === undefined) return port === undefined ? undefined : "error: proto but no IP.";
  const lastAddress = payloadOf(nat, uapi.OVS_NAT_ATTR_IP_MAX);
  const lastPort = payloadOf(nat, uapi.OVS_NAT_ATTR_PROTO_MAX);
  const endsBefore = (last: Uint8Array | undefined, order: (last: Uint8Array) => number): boolean =>
    last !== undefined && !isZeros(last) && order(last) < 0;
  const isWrong =
    endsBefore(lastAddress, (last) => Buffer.compare(last, address)) ||
    endsBefore(lastPort, (last) => u16At(last, 0) - (port === undefined ? 0 : u16At(port, 0)));
  return isWrong ? "range error" : undefined;
}

/** To OVS, a range that ends at zero is one value, and a range of ports from 0 on is none. */
function writeNat(nat: Uint8Array): void {
  const port = payloadOf(nat, uapi.OVS_NAT_ATTR_PROTO_MIN);
  const mark = WRITER.nest(uapi.OVS_CT_ATTR_NAT);
  for (const [type, value] of attributesOf(nat)) {
    const isPort = type === uapi.OVS_NAT_ATTR_PROTO_MIN || type === uapi.OVS_NAT_ATTR_PROTO_MAX;
    const isEnd = type === uapi.OVS_NAT_ATTR_IP_MAX || type === uapi.OVS_NAT_ATTR_PROTO_MAX;
    const isUntold = (isPort && port !== undefined && isZeros(port)) || (isEnd && isZeros(value));
    if (!isUntold) WRITER.bytes(type, value);
  }
  WRITER.endNest(mark);
}

/** Prints an action whose text is the same in millrace and OVS. */
function printPlain(out: TextSink, type: number, payload: Uint8Array): void {
  WRITER.reset(0, WRITER.memory.size);
  WRITER.bytes(type, payload);
  printActions(out, WRITER.memory.u8, 0, WRITER.position);
}

const WRITER = new AttributeWriter(new PinnedMemory(1 << 17));
