import type { PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import {
  be16,
  choice,
  type Field,
  getField,
  hex64,
  port,
  setField,
  u16,
  u32,
  u8,
  uuid,
} from "../text/field.ts";
import { FieldSet } from "../text/field-set.ts";
import { PORT_MAX } from "../text/port.ts";
import type { TextSink } from "../text/sink.ts";
import { u16At, u32At } from "../bytes.ts";
import { CLOSE, COMMA, EQUALS } from "../text/ascii.ts";

/** Bytes of `struct user_action_cookie` (OVS's lib/odp-util.h), the user data of OVS's own upcalls. */
export const COOKIE_SIZE = 48;

const OFPP_NONE = 0xffff;

/**
 * The fields of every cookie, named as in the struct. ovs-vswitchd fills them in; ovs-dpctl does
 * not show them.
 */
const ORIGIN = [
  u32("ofp_in_port", 4, {
    about: "OpenFlow port that the packets came in by",
    initial: OFPP_NONE,
    hidden: true,
  }),
  uuid("ofproto_uuid", 8, { about: "bridge that they are of", initial: 0, hidden: true }),
];

/** The offset of the VLAN tag, whose CFI bit OVS sets if vid or pcp is not 0. */
const SFLOW_TCI = 24;
const VLAN_CFI = 0x10;

const REASON: Field = u32("reason", 28);

/** The bits of `enum slow_path_reason`, lowest first. */
export const SLOW_PATH_REASONS: readonly string[] = [
  "cfm",
  "bfd",
  "lacp",
  "stp",
  "lldp",
  "action",
  "match",
];

/** One kind of cookie: its name, and the fields of its union. */
export type CookieForm = {
  readonly name: string;
  /** `enum user_action_cookie_type`. */
  readonly type: number;
  readonly about: string;
  readonly fields: FieldSet;
  /** Whether reasons precede the fields, as in slow_path. */
  readonly reasons: boolean;
};

function outputPort(offset: number): Field {
  return port("output_port", offset, { about: "output port", limit: PORT_MAX });
}

/** Every kind of cookie that has a text. */
export const COOKIES: readonly CookieForm[] = [
  {
    name: "sFlow",
    type: 1,
    about: "a packet sampled for sFlow",
    fields: new FieldSet([
      be16("vid", SFLOW_TCI, { about: "VLAN of the destination", bits: 12 }),
      be16("pcp", SFLOW_TCI, { about: "its priority", shift: 13, bits: 3 }),
      u32("output", 28, { about: "sFlow's `output` value" }),
      ...ORIGIN,
    ]),
    reasons: false,
  },
  {
    name: "slow_path",
    type: 2,
    about: "user space must see every packet",
    fields: new FieldSet(ORIGIN),
    reasons: true,
  },
  {
    name: "flow_sample",
    type: 3,
    about: "a packet sampled for IPFIX, per flow",
    fields: new FieldSet([
      u16("probability", 24, { about: "of 65535" }),
      u32("collector_set_id", 28, { about: "set of IPFIX collectors" }),
      u32("obs_domain_id", 32, { about: "observation domain" }),
      u32("obs_point_id", 36, { about: "observation point" }),
      outputPort(40),
      choice("direction", 44, ["", "ingress", "egress"], "which way the packet goes"),
      ...ORIGIN,
    ]),
    reasons: false,
  },
  {
    name: "ipfix",
    type: 4,
    about: "a packet sampled for IPFIX, per bridge",
    fields: new FieldSet([outputPort(24), ...ORIGIN]),
    reasons: false,
  },
  {
    name: "controller",
    type: 5,
    about: "a packet for an OpenFlow controller",
    fields: new FieldSet([
      u16("reason", 26, { about: "OpenFlow's reason" }),
      u8("dont_send", 24, { about: "do not send it to the controller", limit: 1 }),
      u8("continuation", 25, { about: "send it as a continuation", limit: 1 }),
      u32("recirc_id", 28, { about: "recirculation id" }),
      hex64("rule_cookie", 32, { about: "cookie of the OpenFlow rule" }),
      u16("controller_id", 40, { about: "id of the controller" }),
      u16("max_len", 42, { about: "bytes of the packet to send" }),
      ...ORIGIN,
    ]),
    reasons: false,
  },
];

/** Reads the inside of a cookie's parentheses into 48 zero bytes at `base`. */
export function parseCookie(
  cursor: Cursor,
  form: CookieForm,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
): void {
  bytes[base] = form.type;
  if (form.reasons) parseReasons(cursor, form.fields, bytes, base);
  else form.fields.parseValues(cursor, bytes, base, ports);
  setCfi(form, bytes, base);
}

/**
 * The form of the cookie at `base`; undefined if {@link parseCookie} does not make these 48 bytes.
 */
export function cookieFormOf(bytes: Uint8Array, base: number): CookieForm | undefined {
  const type = u16At(bytes, base);
  const form = COOKIES[type - 1];
  if (form === undefined) return undefined;
  SCRATCH[0] = type;
  if (form.reasons) {
    const reasons = getField(REASON, bytes, base);
    if (reasons >= 1 << SLOW_PATH_REASONS.length) {
      SCRATCH.fill(0);
      return undefined;
    }
    setField(REASON, SCRATCH, 0, reasons);
  } else if (type === 1) {
    // The CFI bit of the tag follows from the others.
    SCRATCH[SFLOW_TCI] = hasTag(bytes, base) ? VLAN_CFI : 0;
  }
  return form.fields.covers(bytes, base, SCRATCH, COOKIE_SIZE) ? form : undefined;
}

/** Prints the inside of a cookie's parentheses. */
export function printCookie(
  out: TextSink,
  form: CookieForm,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
): void {
  const start = out.length;
  if (form.reasons) printReasons(out, u32At(bytes, base + REASON.offset));
  form.fields.printValues(out, bytes, base, ports, start);
}

function setCfi(form: CookieForm, bytes: Uint8Array, base: number): void {
  if (form.type === 1 && hasTag(bytes, base)) bytes[base + SFLOW_TCI]! |= VLAN_CFI;
}

/** vid or pcp is not 0. */
function hasTag(bytes: Uint8Array, base: number): boolean {
  return (bytes[base + SFLOW_TCI]! & ~VLAN_CFI) !== 0 || bytes[base + SFLOW_TCI + 1] !== 0;
}

/** Reads reasons, by name or number, separated by commas or bars, and the fields. */
function parseReasons(cursor: Cursor, fields: FieldSet, bytes: Uint8Array, base: number): void {
  const allowed = (1 << SLOW_PATH_REASONS.length) - 1;
  let reasons = 0;
  let seen = 0;
  cursor.skipSeparators();
  while (cursor.peek() !== CLOSE) {
    const at = cursor.position;
    if (cursor.word() > 0 && cursor.peek() === EQUALS) {
      cursor.position = at;
      seen |= fields.parseNext(cursor, bytes, base, undefined, seen);
    } else if (cursor.position > at) {
      const bit = SLOW_PATH_REASONS.indexOf(cursor.wordText());
      if (bit < 0) cursor.fail(`one of ${SLOW_PATH_REASONS.join(", ")}`, at);
      reasons |= 1 << bit;
    } else {
      reasons |= cursor.integer(allowed, `one of ${SLOW_PATH_REASONS.join(", ")}, or 0`);
    }
    cursor.take(0x7c);
    cursor.skipSeparators();
  }
  fields.fill(cursor, bytes, base, seen);
  setField(REASON, bytes, base, reasons);
}

function printReasons(out: TextSink, reasons: number): void {
  if (reasons === 0) out.byte(0x30);
  let first = true;
  for (let bit = 0; bit < SLOW_PATH_REASONS.length; bit++) {
    if ((reasons & (1 << bit)) === 0) continue;
    if (!first) out.byte(COMMA);
    first = false;
    out.text(SLOW_PATH_REASONS[bit]!);
  }
}

const SCRATCH = new Uint8Array(COOKIE_SIZE);
