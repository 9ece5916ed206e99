import { COOKIE_SIZE, COOKIES, SLOW_PATH_REASONS } from "../../flow/action/cookie.ts";
import { u16At, u32At } from "../../flow/bytes.ts";
import type { PortNames } from "../../flow/ports.ts";
import { CLOSE, COMMA } from "../../flow/text/ascii.ts";
import { FieldSet } from "../../flow/text/field-set.ts";
import type { TextSink } from "../../flow/text/sink.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import { payloadOf } from "./odp.ts";

/** Prints the unchanged name of a port, or its number (`odp_portno_name_format`). */
export function printOdpPort(out: TextSink, port: number, ports: PortNames | undefined): void {
  const name = ports?.nameOf(port);
  if (name === undefined) out.dec(port);
  else out.unicode(name);
}

/**
 * The fields that OVS prints of each form of cookie: not the bridge, and not the packets' input
 * port.
 */
const TOLD: readonly FieldSet[] = COOKIES.map(
  ({ fields }) => new FieldSet(fields.fields.filter(({ hidden }) => !hidden)),
);

/** Offset of the reasons of `slow_path`. */
const REASONS_AT = 28;

/** `userspace(…)` (`format_odp_userspace_action`). */
export function printOdpUserspace(
  out: TextSink,
  payload: Uint8Array,
  ports: PortNames | undefined,
): void {
  const pid = payloadOf(payload, uapi.OVS_USERSPACE_ATTR_PID);
  const data = payloadOf(payload, uapi.OVS_USERSPACE_ATTR_USERDATA);
  const tunnel = payloadOf(payload, uapi.OVS_USERSPACE_ATTR_EGRESS_TUN_PORT);
  out.text("userspace(pid=");
  out.dec(pid === undefined ? 0 : u32At(pid, 0));
  if (data !== undefined) {
    out.byte(COMMA);
    printUserdata(out, data, ports);
  }
  if (payloadOf(payload, uapi.OVS_USERSPACE_ATTR_ACTIONS) !== undefined) out.text(",actions");
  if (tunnel !== undefined) {
    out.text(",tunnel_out_port=");
    printOdpPort(out, u32At(tunnel, 0), ports);
  }
  out.byte(CLOSE);
}

function printUserdata(out: TextSink, data: Uint8Array, ports: PortNames | undefined): void {
  const index = data.length === COOKIE_SIZE ? u16At(data, 0) - 1 : -1;
  const form = COOKIES[index];
  const told = TOLD[index];
  if (form === undefined || told === undefined) {
    out.text("userdata(");
    out.hexBytes(data, 0, data.length);
  } else {
    out.text(`${form.name}(`);
    if (form.reasons) printReasons(out, u32At(data, REASONS_AT));
    else told.printValues(out, data, 0, ports);
  }
  out.byte(CLOSE);
}

/** `format_flags`: names, then one number for the bits without names. */
function printReasons(out: TextSink, reasons: number): void {
  const names = SLOW_PATH_REASONS.filter((_, bit) => ((reasons >>> bit) & 1) === 1);
  const others = (reasons >>> SLOW_PATH_REASONS.length) * 2 ** SLOW_PATH_REASONS.length;
  if (others !== 0) names.push(`0x${others.toString(16)}`);
  out.text(names.length === 0 ? "0" : names.join(","));
}
