import { GENL_HEADER, NLMSG_HEADER } from "../netlink/message.ts";
import { OVS_HEADER_SIZE } from "../uapi/openvswitch.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import type { KernelParts } from "./datapath-state.ts";
import type { Family } from "./family.ts";
import { type Attributes, attributesOf, genericMessage, type Request } from "./wire.ts";

// What all messages of the families of Open vSwitch have in common.

const ATTRIBUTES = NLMSG_HEADER + GENL_HEADER + OVS_HEADER_SIZE;

/** The command of a message, and the datapath that it is about. */
export function headOf({ bytes }: Request): {
  readonly command: number;
  readonly datapath: number;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isWhole = bytes.length >= ATTRIBUTES;
  return {
    command: bytes[NLMSG_HEADER] ?? 0,
    datapath: isWhole ? view.getInt32(ATTRIBUTES - OVS_HEADER_SIZE, true) : 0,
  };
}

/** The attributes of a message; undefined where it is shorter than its headers. */
export function ovsAttributes({ bytes }: Request): Attributes | undefined {
  return bytes.length < ATTRIBUTES ? undefined : attributesOf(bytes, ATTRIBUTES);
}

/** What a message of a family says beside its attributes. */
type OvsHead = {
  readonly command: number;
  readonly datapath: number;
  /** None by default. */
  readonly flags?: number;
  /** The request that it answers; it is about none by default. */
  readonly request?: Pick<Request, "sequence" | "portId">;
};

/** A message of a family. `write` must not make another message meanwhile. */
export function ovsMessage(
  { families }: Pick<KernelParts, "families">,
  { name, version }: Pick<Family, "name" | "version">,
  { request: { sequence, portId } = { sequence: 0, portId: 0 }, ...head }: OvsHead,
  write: (writer: AttributeWriter) => void,
): Uint8Array {
  return genericMessage({ type: families.idOf(name), version, sequence, portId, ...head }, write);
}
