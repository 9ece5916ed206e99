import {
  attributeLength,
  attributeType,
  findAttribute,
  nextAttribute,
} from "../flow/action/attributes.ts";
import { ACTION_OF_TYPE } from "../flow/action/table.ts";
import type { FlowParts } from "../flow/parts.ts";
import { NLA_HEADER } from "../netlink/attribute-writer.ts";
import { OVS_ACTION_ATTR_USERSPACE, OVS_USERSPACE_ATTR_PID } from "../uapi/openvswitch.ts";

/*
 * `userspace(pid=N)` sends packets to the netlink socket whose port id is N: one of a process that
 * ran when the flow was put. On another machine, or later, N belongs to no process, or to another.
 */

/**
 * The deepest nest that is searched; a kernel takes 16 (`FLOW_DEPTH_MAX`,
 * `OVS_COPY_ACTIONS_MAX_DEPTH`).
 */
const DEPTH_MAX = 32;

/**
 * Port ids that are no single socket: no receiver, or the datapath's sockets per CPU
 * (`per-cpu-upcalls`).
 */
const NO_SOCKET: ReadonlySet<number> = new Set([0, 0xffff_ffff]);

/** The netlink port ids to which a flow sends packets. */
export function socketsOf({ bytes, actions }: FlowParts): readonly number[] {
  const found: number[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  walk(bytes, actions.start, actions.end, 0, (at) => {
    const id = view.getUint32(at, true);
    if (!NO_SOCKET.has(id)) found.push(id);
  });
  return found;
}

/** Changes the bytes of a flow so that all its packets for sockets go to one socket. */
export function redirect({ bytes, actions }: FlowParts, portId: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  walk(bytes, actions.start, actions.end, 0, (at) => {
    if (!NO_SOCKET.has(view.getUint32(at, true))) view.setUint32(at, portId, true);
  });
}

/** Offers the place of each port id in a list of actions, and in the lists in it. */
function walk(
  bytes: Uint8Array,
  start: number,
  end: number,
  depth: number,
  offer: (at: number) => void,
): void {
  if (start < 0 || depth > DEPTH_MAX) return;
  let at = start;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    const type = attributeType(bytes, at);
    const inner = at + NLA_HEADER;
    const innerEnd = at + length;
    if (type === OVS_ACTION_ATTR_USERSPACE) {
      const pid = findAttribute(bytes, inner, innerEnd, OVS_USERSPACE_ATTR_PID);
      if (pid >= 0 && attributeLength(bytes, pid, innerEnd) === NLA_HEADER + 4) {
        offer(pid + NLA_HEADER);
      }
    } else
      walkNests(bytes, type, inner, innerEnd, (from, to) =>
        walk(bytes, from, to, depth + 1, offer),
      );
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
}

/** Walks the lists of actions inside an action. */
function walkNests(
  bytes: Uint8Array,
  type: number,
  start: number,
  end: number,
  show: (from: number, to: number) => void,
): void {
  const form = ACTION_OF_TYPE[type]?.form;
  if (form?.kind === "actions") show(start, end);
  if (form?.kind !== "nest") return;
  for (const { kind, attribute } of form.members.members) {
    if (kind !== "actions") continue;
    const at = findAttribute(bytes, start, end, attribute);
    if (at >= 0) show(at + NLA_HEADER, at + attributeLength(bytes, at, end));
  }
}
