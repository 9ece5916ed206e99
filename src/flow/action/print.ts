import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import {
  OVS_ACTION_ATTR_OUTPUT,
  OVS_ACTION_ATTR_POP_NSH,
  OVS_HASH_ALG_L4,
  OVS_HASH_ALG_SYM_L4,
} from "../../uapi/openvswitch.ts";
import { type PortNames, printPort } from "../ports.ts";
import type { TextSink } from "../text/sink.ts";
import { attributeLength, attributeType, nextAttribute } from "./attributes.ts";
import { u32At } from "../bytes.ts";
import { type Printing, printNest } from "./nest-print.ts";
import { printPushNsh } from "./nsh.ts";
import { printSet } from "./set-print.ts";
import { ACTION_OF_TYPE, type ActionSpec, isActionWord } from "./table.ts";
import { CLOSE, COMMA, OPEN } from "../text/ascii.ts";

/**
 * The deepest list that is printed as a list: deeper than a kernel's 16 levels, but not too deep
 * for a Cursor.
 */
const DEPTH_MAX = 28;

/**
 * Prints the actions of `start` to `end`, the payload of OVS_FLOW_ATTR_ACTIONS, as `ovs-dpctl
 * dump-flows` does; an empty list is `drop`. If OVS's text would not read back to the same bytes (a
 * percentage, a reason to drop, a cookie with a bridge), the nearest text that does is printed; an
 * action without such a text is printed as `actionN(bytes)`. {@link parseActions} reads all of it.
 */
export function printActions(
  out: TextSink,
  bytes: Uint8Array,
  start: number,
  end: number,
  ports?: PortNames,
): void {
  if (printList({ out, bytes, ports, list: printList }, start, end, 0)) return;
  // Left-over bytes, as in a broken dump, are printed as OVS does.
  let at = start;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  out.text(at === start ? "<empty>" : "");
  out.text(`,***${end - at} leftover bytes*** (`);
  out.hexBytes(bytes, at, end);
  out.byte(CLOSE);
}

/** Prints a list. @returns false if bytes are left over; the attributes before them are printed. */
function printList(printing: Printing, start: number, end: number, depth: number): boolean {
  const { out, bytes } = printing;
  if (start >= end) {
    out.text("drop");
    return true;
  }
  let at = start;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    if (at > start) out.byte(COMMA);
    const alone = at === start && nextAttribute(at, length, end) === end;
    const begin = out.length;
    if (!printAction(printing, at, length, depth, alone)) {
      out.truncate(begin);
      printRaw(out, bytes, at, length);
    }
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  return at === end;
}

/** @returns false if the action's text does not read back to its bytes. */
function printAction(
  printing: Printing,
  at: number,
  length: number,
  depth: number,
  alone: boolean,
): boolean {
  const { out, bytes, ports } = printing;
  const type = attributeType(bytes, at);
  const start = at + NLA_HEADER;
  const end = at + length;
  if (type === OVS_ACTION_ATTR_OUTPUT && length === NLA_HEADER + 4) {
    printOutput(out, u32At(bytes, start), ports);
    return true;
  }
  const spec = ACTION_OF_TYPE[type];
  if (spec === undefined) return false;
  if (spec.payload >= 0 && spec.payload !== length - NLA_HEADER) return false;
  return printKnown(printing, spec, start, end, depth + 1, alone);
}

function printKnown(
  printing: Printing,
  spec: ActionSpec,
  start: number,
  end: number,
  depth: number,
  alone: boolean,
): boolean {
  const { out, bytes, ports } = printing;
  const form = spec.form;
  if (form.kind === "set") return printSet(out, bytes, start, end, spec.type, ports);
  out.text(spec.name);
  switch (form.kind) {
    case "flag":
      if (spec.type === OVS_ACTION_ATTR_POP_NSH) out.text("()");
      return true;
    case "drop":
      return printDrop(out, u32At(bytes, start), alone);
    case "nsh":
      return printPushNsh(out, bytes, start, end);
    case "nest":
      if (depth > DEPTH_MAX) return false;
      return printNest(printing, form.members, start, end, depth);
    case "struct":
      if (!form.fields.covers(bytes, start, SCRATCH, spec.payload)) return false;
      out.byte(OPEN);
      form.fields.printValues(out, bytes, start, ports);
      out.byte(CLOSE);
      return true;
    case "number":
      out.byte(OPEN);
      if (form.hex) out.hex(u32At(bytes, start));
      else out.dec(u32At(bytes, start));
      out.byte(CLOSE);
      return true;
    case "hash":
      return printHash(out, u32At(bytes, start), u32At(bytes, start + 4));
    case "actions": {
      if (depth > DEPTH_MAX) return false;
      out.byte(OPEN);
      const printed = printList(printing, start, end, depth);
      out.byte(CLOSE);
      return printed;
    }
    default:
      return false;
  }
}

/** Prints a port; as `output(NAME)` if its name is a word of the language. */
function printOutput(out: TextSink, port: number, ports: PortNames | undefined): void {
  const name = ports?.nameOf(port);
  if (name === undefined || !isActionWord(name)) {
    printPort(out, port, ports);
    return;
  }
  out.text("output(");
  printPort(out, port, ports);
  out.byte(CLOSE);
}

/** Prints DROP. A reason of 0 is left out if `drop` cannot be mistaken for the empty list. */
function printDrop(out: TextSink, reason: number, alone: boolean): boolean {
  if (reason === 0 && !alone) return true;
  out.byte(OPEN);
  out.dec(reason);
  out.byte(CLOSE);
  return true;
}

function printHash(out: TextSink, algorithm: number, basis: number): boolean {
  if (algorithm !== OVS_HASH_ALG_L4 && algorithm !== OVS_HASH_ALG_SYM_L4) return false;
  out.text(algorithm === OVS_HASH_ALG_L4 ? "(l4(" : "(sym_l4(");
  out.dec(basis);
  out.text("))");
  return true;
}

/** Prints `action26(01 02)`, as OVS prints an action that it does not know. */
function printRaw(out: TextSink, bytes: Uint8Array, at: number, length: number): void {
  out.text("action");
  out.dec(attributeType(bytes, at));
  for (let i = NLA_HEADER; i < length; i++) {
    out.byte(i === NLA_HEADER ? OPEN : 0x20);
    out.hexBytes(bytes, at + i, at + i + 1);
  }
  if (length > NLA_HEADER) out.byte(CLOSE);
}

const SCRATCH = new Uint8Array(16);
