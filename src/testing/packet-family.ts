import { ACTIONS } from "../flow/action/table.ts";
import { AttributeReader } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { monotonicMs } from "../sys/clock.ts";
import { EINVAL, ENODEV, EOPNOTSUPP } from "../sys/errno.ts";
import { NotSupportedError } from "../sys/errors.ts";
import * as A from "../uapi/openvswitch.ts";
import type { DatapathState, PortState } from "./datapath-state.ts";
import { dumpExactKey, readExactKey } from "./flow-match.ts";
import { OvsFamily } from "./ovs-family.ts";
import { headOf, ovsAttributes } from "./ovs-message.ts";
import { FRAME_LEAST, putHeaders } from "./packet-headers.ts";
import { type Attributes, attributesOf, type Request, u32Of, written } from "./wire.ts";

/** Passes of a packet through the table (OVS_RECURSION_LIMIT, and what is deferred). */
const PASSES_MAX = 10;
const PROBABILITY_MAX = 0xffff_ffff;

/** A packet on its way. */
type Packet = {
  frame: Uint8Array;
  recircId: number;
  readonly inPort: number | undefined;
  passes: number;
  truncate: number;
};

/** The way of packets through a datapath, and the family that tells of them. */
export class PacketFamily extends OvsFamily {
  readonly name: string = A.OVS_PACKET_FAMILY;
  readonly version: number = A.OVS_PACKET_VERSION;
  readonly attributeMax: number = A.OVS_PACKET_ATTR_HASH;
  readonly groups: readonly string[] = [];

  run(request: Request): number {
    const given = ovsAttributes(request);
    if (given === undefined) return EINVAL;
    const { command, datapath } = headOf(request);
    if (command !== A.OVS_PACKET_CMD_EXECUTE) return EOPNOTSUPP;
    const frame = given.get(A.OVS_PACKET_ATTR_PACKET);
    const key = given.get(A.OVS_PACKET_ATTR_KEY);
    const actions = given.get(A.OVS_PACKET_ATTR_ACTIONS);
    if (frame === undefined || key === undefined || actions === undefined) return EINVAL;
    if (frame.length < FRAME_LEAST) return EINVAL;
    const dp = this.kernel.byIndex(datapath);
    if (dp === undefined) return ENODEV;
    const metadata = attributesOf(key);
    const inPort = u32Of(metadata, A.OVS_KEY_ATTR_IN_PORT);
    const recircId = u32Of(metadata, A.OVS_KEY_ATTR_RECIRC_ID) ?? 0;
    const packet = { frame: frame.slice(), recircId, inPort, passes: 0, truncate: 0 };
    this.#execute(dp, packet, actions);
    return 0;
  }

  /** A packet comes in by a port. */
  receive(dp: DatapathState, port: PortState, frame: Uint8Array): void {
    port.counters[0]++;
    port.counters[2] += frame.length;
    if (frame.length < FRAME_LEAST) return;
    this.#process(dp, {
      frame: frame.slice(),
      recircId: 0,
      inPort: port.number,
      passes: 0,
      truncate: 0,
    });
  }

  // ovs_dp_process_packet
  #process(dp: DatapathState, packet: Packet): void {
    if (++packet.passes > PASSES_MAX) return;
    let tcpFlags = 0;
    const key = written((writer) => {
      writer.u32(A.OVS_KEY_ATTR_RECIRC_ID, packet.recircId);
      if (packet.inPort !== undefined) writer.u32(A.OVS_KEY_ATTR_IN_PORT, packet.inPort);
      tcpFlags = putHeaders(writer, packet.frame);
    });
    const exact = readExactKey(key);
    const flow = exact && dp.table.lookUp(exact);
    if (flow === undefined) {
      dp.missed++;
      this.#upcall(dp, packet, A.OVS_PACKET_CMD_MISS, this.#portIdOf(dp, packet), () => {});
      return;
    }
    dp.hit++;
    flow.packets++;
    flow.byteCount += packet.frame.length;
    flow.usedMs = Math.max(1, Math.floor(monotonicMs()));
    flow.tcpFlags |= tcpFlags & 0xff;
    this.#execute(dp, packet, flow.actions);
  }

  #execute(dp: DatapathState, packet: Packet, actions: Uint8Array): void {
    const reader = new AttributeReader().reset(actions, 0, actions.length);
    while (reader.next()) {
      const payload = actions.subarray(reader.start, reader.start + reader.length);
      if (!this.#act(dp, packet, reader.type, payload)) return;
    }
  }

  // Returns whether the packet goes on.
  #act(dp: DatapathState, packet: Packet, type: number, payload: Uint8Array): boolean {
    const inside = attributesOf(payload);
    switch (type) {
      case A.OVS_ACTION_ATTR_OUTPUT:
        output(dp, packet, numberOf(payload));
        return true;
      case A.OVS_ACTION_ATTR_USERSPACE:
        this.#toUserspace(dp, packet, payload);
        return true;
      case A.OVS_ACTION_ATTR_RECIRC:
        this.#process(dp, { ...packet, recircId: numberOf(payload) });
        return true;
      case A.OVS_ACTION_ATTR_TRUNC:
        packet.truncate = numberOf(payload);
        return true;
      case A.OVS_ACTION_ATTR_PUSH_VLAN:
        packet.frame = tagged(packet.frame, payload);
        return true;
      case A.OVS_ACTION_ATTR_POP_VLAN:
        packet.frame = untagged(packet.frame);
        return true;
      case A.OVS_ACTION_ATTR_CLONE:
        this.#execute(dp, { ...packet }, payload);
        return true;
      case A.OVS_ACTION_ATTR_SAMPLE:
        this.#sample(dp, packet, inside);
        return true;
      case A.OVS_ACTION_ATTR_METER:
        count(dp, packet, numberOf(payload));
        return true;
      case A.OVS_ACTION_ATTR_DROP:
        return false;
      default:
        throw notModelled(ACTIONS.find((action) => action.type === type)?.name ?? String(type));
    }
  }

  // All or none: what is between is a matter of luck, which a test has no use for.
  #sample(dp: DatapathState, packet: Packet, inside: Attributes): void {
    const probability = u32Of(inside, A.OVS_SAMPLE_ATTR_PROBABILITY) ?? 0;
    if (probability !== 0 && probability !== PROBABILITY_MAX) throw notModelled("sample");
    const list = inside.get(A.OVS_SAMPLE_ATTR_ACTIONS);
    if (probability > 0 && list !== undefined) this.#execute(dp, { ...packet }, list);
  }

  #toUserspace(dp: DatapathState, packet: Packet, payload: Uint8Array): void {
    const inside = attributesOf(payload);
    const perCpu = (dp.userFeatures & A.OVS_DP_F_DISPATCH_UPCALL_PER_CPU) !== 0;
    const portId = perCpu
      ? (dp.perCpuPortIds[0] ?? 0)
      : (u32Of(inside, A.OVS_USERSPACE_ATTR_PID) ?? 0);
    const userdata = inside.get(A.OVS_USERSPACE_ATTR_USERDATA);
    this.#upcall(dp, packet, A.OVS_PACKET_CMD_ACTION, portId, (writer) => {
      if (userdata !== undefined) writer.bytes(A.OVS_PACKET_ATTR_USERDATA, userdata);
    });
  }

  #portIdOf(dp: DatapathState, { inPort }: Packet): number {
    if ((dp.userFeatures & A.OVS_DP_F_DISPATCH_UPCALL_PER_CPU) !== 0)
      return dp.perCpuPortIds[0] ?? 0;
    return dp.ports.get(inPort ?? 0)?.upcallPortIds[0] ?? 0;
  }

  // queue_userspace_packet
  #upcall(
    dp: DatapathState,
    packet: Packet,
    command: number,
    portId: number,
    more: (writer: AttributeWriter) => void,
  ): void {
    const plain = written((writer) => {
      writer.u32(A.OVS_KEY_ATTR_RECIRC_ID, packet.recircId);
      if (packet.inPort !== undefined) writer.u32(A.OVS_KEY_ATTR_IN_PORT, packet.inPort);
      putHeaders(writer, packet.frame, true);
    });
    const key = dumpExactKey(plain, this.kernel.features);
    const { frame, truncate } = packet;
    const shown = truncate > 0 && truncate < frame.length ? frame.subarray(0, truncate) : frame;
    const head = { command, datapath: dp.index };
    const message = this.message(head, (writer) => {
      writer.bytes(A.OVS_PACKET_ATTR_KEY, key);
      more(writer);
      if (shown.length < frame.length) writer.u32(A.OVS_PACKET_ATTR_LEN, frame.length);
      writer.bytes(A.OVS_PACKET_ATTR_PACKET, shown);
    });
    if (portId === 0 || !this.kernel.upcall(portId, message)) dp.lost++;
  }
}

function notModelled(action: string): NotSupportedError {
  return new NotSupportedError(`the action ${action} on packets, in a kernel in memory`, undefined);
}

function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(0, true);
}

function output(dp: DatapathState, packet: Packet, number: number): void {
  const port = dp.ports.get(number);
  if (port === undefined) return;
  const { frame, truncate } = packet;
  const sent = truncate > 0 ? frame.slice(0, truncate) : frame.slice();
  packet.truncate = 0;
  port.counters[1]++;
  port.counters[3] += sent.length;
  port.sent.push(sent);
}

function count(dp: DatapathState, { frame }: Packet, id: number): void {
  const meter = dp.meters.get(id);
  if (meter === undefined) return;
  meter.packets++;
  meter.byteCount += frame.length;
}

const ADDRESSES = 12;
const TAG_BYTES = 4;

/** With a tag: struct ovs_action_push_vlan, in which the tag has a bit that says that it is there. */
function tagged(frame: Uint8Array, action: Uint8Array): Uint8Array {
  const tag = action.slice(0, TAG_BYTES);
  tag[2] = (tag[2] ?? 0) & 0xef;
  return new Uint8Array([...frame.subarray(0, ADDRESSES), ...tag, ...frame.subarray(ADDRESSES)]);
}

function untagged(frame: Uint8Array): Uint8Array {
  const type = ((frame[ADDRESSES] ?? 0) << 8) | (frame[ADDRESSES + 1] ?? 0);
  if (type !== 0x8100 && type !== 0x88a8) return frame;
  return new Uint8Array([
    ...frame.subarray(0, ADDRESSES),
    ...frame.subarray(ADDRESSES + TAG_BYTES),
  ]);
}
