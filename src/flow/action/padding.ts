import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import {
  OVS_ACTION_ATTR_SET,
  OVS_KEY_ATTR_TUNNEL,
  OVS_TUNNEL_KEY_ATTR_PAD,
} from "../../uapi/openvswitch.ts";
import { attributeLength, attributeType, nextAttribute } from "./attributes.ts";
import { ACTION_OF_TYPE } from "./table.ts";

/**
 * Some kernels align the 64-bit tunnel id in a dump of set(tunnel(…)): an empty attribute, PAD,
 * precedes it if its place in the dump requires it (`nla_put_64bit` in lib/nlattr.c). PAD has no
 * meaning.
 */

/** Whether a list of actions has an action that may contain padding. */
export function mayBePadded(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    const type = attributeType(bytes, at);
    const kind = ACTION_OF_TYPE[type]?.form.kind;
    if (type === OVS_ACTION_ATTR_SET || kind === "actions" || kind === "nest") return true;
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  return false;
}

/** Removes the padding from a list of actions. @returns the same bytes if there is none */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  if (!mayBePadded(bytes, 0, bytes.length)) return bytes;
  const out = new Uint8Array(bytes.length);
  const size = copyList(bytes, { start: 0, end: bytes.length }, out, 0, copyAction);
  return size === bytes.length ? bytes : out.subarray(0, size);
}

/** A list of attributes: `bytes[start..end)`. */
type List = { readonly start: number; readonly end: number };

/** Copies one attribute, header included, to `to`. @returns where its payload ends */
type Copy = (bytes: Uint8Array, at: number, end: number, out: Uint8Array, to: number) => number;

/** Copies a list, attribute by attribute. @returns where it ends */
function copyList(
  bytes: Uint8Array,
  { start, end }: List,
  out: Uint8Array,
  to: number,
  copy: Copy,
): number {
  let at = start;
  let written = to;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    const payloadEnd = copy(bytes, at, at + length, out, written);
    if (payloadEnd > written) {
      const size = payloadEnd - written;
      out[written] = size;
      out[written + 1] = size >> 8;
      written = Math.min((payloadEnd + 3) & ~3, out.length);
    }
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  return written;
}

function copyPlain(bytes: Uint8Array, at: number, end: number, out: Uint8Array, to: number) {
  out.set(bytes.subarray(at, end), to);
  return to + end - at;
}

/** Copies a nest by copying its list with `copy`. */
function nest(copy: Copy): Copy {
  return (bytes, at, end, out, to) => {
    out.set(bytes.subarray(at, at + NLA_HEADER), to);
    return copyList(bytes, { start: at + NLA_HEADER, end }, out, to + NLA_HEADER, copy);
  };
}

const copyTunnel: Copy = nest((bytes, at, end, out, to) =>
  attributeType(bytes, at) === OVS_TUNNEL_KEY_ATTR_PAD ? to : copyPlain(bytes, at, end, out, to),
);

const copySet: Copy = nest((bytes, at, end, out, to) =>
  (attributeType(bytes, at) === OVS_KEY_ATTR_TUNNEL ? copyTunnel : copyPlain)(
    bytes,
    at,
    end,
    out,
    to,
  ),
);

function copyAction(
  bytes: Uint8Array,
  at: number,
  end: number,
  out: Uint8Array,
  to: number,
): number {
  const type = attributeType(bytes, at);
  const form = ACTION_OF_TYPE[type]?.form;
  if (type === OVS_ACTION_ATTR_SET) return copySet(bytes, at, end, out, to);
  if (form?.kind === "actions") return nest(copyAction)(bytes, at, end, out, to);
  if (form?.kind !== "nest") return copyPlain(bytes, at, end, out, to);
  const lists = new Set(
    form.members.members.filter(({ kind }) => kind === "actions").map(({ attribute }) => attribute),
  );
  const copyMember: Copy = (from, memberAt, memberEnd, into, place) =>
    (lists.has(attributeType(from, memberAt)) ? nest(copyAction) : copyPlain)(
      from,
      memberAt,
      memberEnd,
      into,
      place,
    );
  return nest(copyMember)(bytes, at, end, out, to);
}
