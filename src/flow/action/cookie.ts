import type { PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import type { TextSink } from "../text/sink.ts";
import { u16At, u32At } from "../bytes.ts";
import {
  be,
  coversStruct,
  fillFields,
  getField,
  host,
  parseField,
  parseFields,
  printFields,
  setField,
  StructFields,
} from "./struct.ts";
import { CLOSE, COMMA, EQUALS } from "../text/ascii.ts";

/** Bytes of `struct user_action_cookie` (OVS's lib/odp-util.h), the user data of OVS's own upcalls. */
export const COOKIE_SIZE = 48;

const OFPP_NONE = 0xffff;

/** What every cookie has, in the struct's own words: ovs-vswitchd fills it in, and ovs-dpctl does not show it. */
const ORIGIN = [
  host("ofp_in_port", "OpenFlow port that the packets came in by", 4, 4, {
    initial: OFPP_NONE,
    hidden: true,
  }),
  host("ofproto_uuid", "bridge that they are of", 8, 16, {
    kind: "uuid",
    initial: 0,
    hidden: true,
  }),
];

/** The top bit of a VLAN tag that OVS sets where vid or pcp is not 0. */
const SFLOW_TCI = 24;
const VLAN_CFI = 0x10;

const REASON = host("reason", "why the packets go to user space", 28, 4);

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

/** One kind of cookie: the word for it, and what its union holds. */
export type CookieForm = {
  readonly name: string;
  /** `enum user_action_cookie_type`. */
  readonly type: number;
  readonly about: string;
  readonly fields: StructFields;
  /** Flags stand before the fields: of slow_path. */
  readonly reasons: boolean;
};

/** Every kind of cookie that text has words for. */
export const COOKIES: readonly CookieForm[] = [
  {
    name: "sFlow",
    type: 1,
    about: "a packet sampled for sFlow",
    fields: new StructFields([
      be("vid", "VLAN of the destination", SFLOW_TCI, 2, { width: 12 }),
      be("pcp", "its priority", SFLOW_TCI, 2, { shift: 13, width: 3 }),
      host("output", "sFlow's `output` value", 28, 4),
      ...ORIGIN,
    ]),
    reasons: false,
  },
  {
    name: "slow_path",
    type: 2,
    about: "user space must see every packet",
    fields: new StructFields(ORIGIN),
    reasons: true,
  },
  {
    name: "flow_sample",
    type: 3,
    about: "a packet sampled for IPFIX, per flow",
    fields: new StructFields([
      host("probability", "of 65535", 24, 2),
      host("collector_set_id", "set of IPFIX collectors", 28, 4),
      host("obs_domain_id", "observation domain", 32, 4),
      host("obs_point_id", "observation point", 36, 4),
      host("output_port", "output port", 40, 4, { kind: "port" }),
      host("direction", "which way the packet goes", 44, 4, {
        kind: "choice",
        initial: 0,
        words: ["", "ingress", "egress"],
      }),
      ...ORIGIN,
    ]),
    reasons: false,
  },
  {
    name: "ipfix",
    type: 4,
    about: "a packet sampled for IPFIX, per bridge",
    fields: new StructFields([
      host("output_port", "output port", 24, 4, { kind: "port" }),
      ...ORIGIN,
    ]),
    reasons: false,
  },
  {
    name: "controller",
    type: 5,
    about: "a packet for an OpenFlow controller",
    fields: new StructFields([
      host("reason", "OpenFlow's reason", 26, 2),
      host("dont_send", "do not send it to the controller", 24, 1, { kind: "flag" }),
      host("continuation", "send it as a continuation", 25, 1, { kind: "flag" }),
      host("recirc_id", "recirculation id", 28, 4),
      be("rule_cookie", "cookie of the OpenFlow rule", 32, 8, { kind: "be64" }),
      host("controller_id", "id of the controller", 40, 2),
      host("max_len", "bytes of the packet to send", 42, 2),
      ...ORIGIN,
    ]),
    reasons: false,
  },
];

/** Reads what stands in the parentheses of a cookie into 48 zero bytes at `base`. */
export function parseCookie(
  cursor: Cursor,
  form: CookieForm,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
): void {
  bytes[base] = form.type;
  if (form.reasons) parseReasons(cursor, form.fields, bytes, base);
  else parseFields(cursor, form.fields, bytes, base, ports);
  setCfi(form, bytes, base);
}

/** The form of the cookie at `base`, or undefined where the 48 bytes are none that {@link parseCookie} makes. */
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
    // The third bit of the tag follows from the others.
    SCRATCH[SFLOW_TCI] = hasTag(bytes, base) ? VLAN_CFI : 0;
  }
  return coversStruct(form.fields, bytes, base, SCRATCH, COOKIE_SIZE) ? form : undefined;
}

/** Prints what stands in the parentheses of a cookie. */
export function printCookie(
  form: CookieForm,
  bytes: Uint8Array,
  base: number,
  out: TextSink,
  ports: PortNames | undefined,
): void {
  const start = out.length;
  if (form.reasons) printReasons(u32At(bytes, base + REASON.offset), out);
  printFields(form.fields, bytes, base, out, ports, start);
}

function setCfi(form: CookieForm, bytes: Uint8Array, base: number): void {
  if (form.type === 1 && hasTag(bytes, base)) bytes[base + SFLOW_TCI]! |= VLAN_CFI;
}

/** vid or pcp is not 0. */
function hasTag(bytes: Uint8Array, base: number): boolean {
  return (bytes[base + SFLOW_TCI]! & ~VLAN_CFI) !== 0 || bytes[base + SFLOW_TCI + 1] !== 0;
}

/** Names of reasons, or numbers, between commas or bars, and the fields. */
function parseReasons(cursor: Cursor, fields: StructFields, bytes: Uint8Array, base: number): void {
  const allowed = (1 << SLOW_PATH_REASONS.length) - 1;
  let reasons = 0;
  let seen = 0;
  cursor.skipSeparators();
  while (cursor.peek() !== CLOSE) {
    const at = cursor.position;
    if (cursor.word() > 0 && cursor.peek() === EQUALS) {
      cursor.position = at;
      seen |= parseField(cursor, fields, bytes, base, undefined, seen);
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
  fillFields(cursor, fields, bytes, base, seen);
  setField(REASON, bytes, base, reasons);
}

function printReasons(reasons: number, out: TextSink): void {
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
