import { ENOENT } from "../sys/errno.ts";
import type { PinnedMemory } from "../sys/memory.ts";
import * as N from "../uapi/netlink.ts";
import { AttributeReader, decodeString } from "./attribute-reader.ts";
import { NetlinkError } from "./errors.ts";
import { GENL_HEADER, putGenericHeader } from "./message.ts";
import type { Requester } from "./request.ts";

/** A generic netlink family as the running kernel has it. */
export type GenericFamily = {
  readonly name: string;
  /** Message type of its requests. */
  readonly id: number;
  readonly version: number;
  /** Highest attribute type it knows at the top level; 0 if it does not say. */
  readonly attributeMax: number;
  /** Numbers of its multicast groups, by name. */
  readonly groups: ReadonlyMap<string, number>;
};

/** Version of the controller's protocol (genl_ctrl in net/netlink/genetlink.c). */
const CTRL_VERSION = 2;

/**
 * Asks the controller for a family; the kernel loads its module if it may.
 * @returns undefined if the kernel has no such family
 */
export function findFamily(requester: Requester, name: string): GenericFamily | undefined {
  let found: GenericFamily | undefined;
  try {
    requester.transact(
      {
        type: N.GENL_ID_CTRL,
        doing: `looking up the netlink family ${name}`,
        write: (writer) => {
          putGenericHeader(writer, N.CTRL_CMD_GETFAMILY, CTRL_VERSION);
          writer.string(N.CTRL_ATTR_FAMILY_NAME, name);
        },
      },
      (memory, message) => {
        found = decodeFamily(memory, message.payload + GENL_HEADER, message.end, name);
      },
    );
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENOENT) return undefined;
    throw error;
  }
  return found;
}

function decodeFamily(
  memory: PinnedMemory,
  start: number,
  end: number,
  name: string,
): GenericFamily | undefined {
  const groups = new Map<string, number>();
  let id = -1;
  let version = 0;
  let attributeMax = 0;
  const reader = new AttributeReader().reset(memory.u8, start, end);
  while (reader.next()) {
    const { type, start: at, length } = reader;
    if (type === N.CTRL_ATTR_FAMILY_ID && length >= 2) id = memory.view.getUint16(at, true);
    else if (type === N.CTRL_ATTR_VERSION && length >= 4) version = memory.view.getUint32(at, true);
    else if (type === N.CTRL_ATTR_MAXATTR && length >= 4) {
      attributeMax = memory.view.getUint32(at, true);
    } else if (type === N.CTRL_ATTR_MCAST_GROUPS) decodeGroups(memory, at, at + length, groups);
  }
  return id < 0 ? undefined : { name, id, version, attributeMax, groups };
}

function decodeGroups(
  memory: PinnedMemory,
  start: number,
  end: number,
  groups: Map<string, number>,
): void {
  const list = new AttributeReader().reset(memory.u8, start, end);
  const reader = new AttributeReader();
  while (list.next()) {
    let name = "";
    let id = -1;
    reader.reset(memory.u8, list.start, list.start + list.length);
    while (reader.next()) {
      if (reader.type === N.CTRL_ATTR_MCAST_GRP_NAME) {
        name = decodeString(memory.u8, reader.start, reader.start + reader.length);
      } else if (reader.type === N.CTRL_ATTR_MCAST_GRP_ID && reader.length >= 4) {
        id = memory.view.getUint32(reader.start, true);
      }
    }
    if (name !== "" && id >= 0) groups.set(name, id);
  }
}
