import { attributeLength, attributeType, nextAttribute } from "../../flow/action/attributes.ts";
import type { PortNames } from "../../flow/ports.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";

/**
 * OVS's text of keys and actions, byte for byte as lib/odp-util.c makes it from the bytes of a
 * dump. It leaves parts of a flow out, and differs in places from millrace's language, which loses
 * nothing.
 */

/** How keys and actions are printed. */
export type OdpStyle = { readonly verbose: boolean; readonly ports: PortNames | undefined };

/**
 * The mask of a payload. `wild`: this attribute has no mask but others do; `exact`: there are no
 * masks.
 */
export type OdpMask = Uint8Array | "wild" | "exact";

/** The attributes of a list: their types and payloads. */
export function* attributesOf(list: Uint8Array): Generator<readonly [number, Uint8Array], void> {
  for (let at = 0; ;) {
    const length = attributeLength(list, at, list.length);
    if (length === 0) return;
    yield [attributeType(list, at), list.subarray(at + NLA_HEADER, at + length)];
    at = nextAttribute(at, length, list.length);
  }
}

/** The payload of the first attribute of a type; undefined if there is none. */
export function payloadOf(list: Uint8Array, type: number): Uint8Array | undefined {
  for (const [found, payload] of attributesOf(list)) if (found === type) return payload;
  return undefined;
}

export function isZeros(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

export function isOnes(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0xff);
}

/** The bytes of a mask; undefined for `exact`. @param size the size of the payload, for `wild` */
export function maskBytes(mask: OdpMask, size: number): Uint8Array | undefined {
  if (mask === "exact") return undefined;
  return mask === "wild" ? new Uint8Array(size) : mask;
}
