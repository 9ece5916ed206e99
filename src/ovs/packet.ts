import { U16_MAX } from "../flow/bytes.ts";
import { parseActions } from "../flow/action/parse.ts";
import { writeKey } from "../flow/key/encode.ts";
import { normalize } from "../flow/key/normal-form.ts";
import { decodePacketKey } from "../flow/key/packet-key.ts";
import { parseWholeKey } from "../flow/key/parse.ts";
import { printKey } from "../flow/key/print.ts";
import { KeyRecord } from "../flow/key/record.ts";
import type { PortNames } from "../flow/ports.ts";
import { Cursor } from "../flow/text/cursor.ts";
import { TextSink } from "../flow/text/sink.ts";
import { AttributeReader } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { MillraceError } from "../sys/errors.ts";
import * as A from "../uapi/openvswitch.ts";
import { checkNumber } from "./check.ts";
import type { DatapathHandle } from "./datapath.ts";

/** Why the kernel sent a packet up: it found no flow, or a flow's `userspace` action said so. */
export type UpcallReason = "miss" | "action";

/** A packet from outside, for {@link executePacket}. */
export type PacketToExecute = {
  /** The frame, from its Ethernet header on; at least 14 bytes. */
  readonly packet: Uint8Array;
  /**
   * The packet's metadata, as in a flow's key: `in_port(1),skb_mark(7)`; or the payload of
   * OVS_PACKET_ATTR_KEY. Empty by default: the packet comes from no port.
   */
  readonly key?: string | Uint8Array;
  /** The largest received fragment, for a packet reassembled by conntrack. */
  readonly mru?: number;
};

const RECORD = new KeyRecord();
const READER = new AttributeReader();
const TEXT = new TextSink(512);
const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * A packet that the kernel sent up. Its parts are found on demand. It owns its bytes, unless it
 * comes from `Upcalls.visit`: then {@link retain} makes a copy that does.
 */
export class Upcall implements PacketToExecute {
  #command = A.OVS_PACKET_CMD_MISS;
  #bytes: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  #keyStart = 0;
  #keyEnd = 0;

  /** Points it at the attributes of a message of the family ovs_packet, `bytes[start..end)`: no copy. */
  point(command: number, bytes: Uint8Array, start: number, end: number): this {
    this.#command = command;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    const reader = READER.reset(bytes, start, end);
    // The kernel writes the key first (queue_userspace_packet in datapath.c).
    const found = reader.next() && reader.type === A.OVS_PACKET_ATTR_KEY;
    this.#keyStart = found ? reader.start : start;
    this.#keyEnd = found ? reader.start + reader.length : start;
    return this;
  }

  /** A copy of the packet that owns its bytes. */
  retain(): Upcall {
    const own = this.#bytes.slice(this.#start, this.#end);
    return new Upcall().point(this.#command, own, 0, own.length);
  }

  /** Why it was sent up. */
  get kind(): UpcallReason {
    return this.#command === A.OVS_PACKET_CMD_MISS ? "miss" : "action";
  }

  /**
   * The memory that holds the key, from {@link keyStart} to {@link keyEnd}, for callers that need
   * no separate view.
   */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The start of the key in {@link bytes}. */
  get keyStart(): number {
    return this.#keyStart;
  }

  /** The end of the key in {@link bytes}. */
  get keyEnd(): number {
    return this.#keyEnd;
  }

  /** The frame; shorter than {@link length} if an action truncated it. */
  get packet(): Uint8Array {
    return this.#payload(A.OVS_PACKET_ATTR_PACKET) ?? NOTHING;
  }

  /** The payload of OVS_PACKET_ATTR_KEY: every field, exact. */
  get keyBytes(): Uint8Array {
    return this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  /** The user data of the `userspace` action; undefined for a miss. */
  get userdata(): Uint8Array | undefined {
    return this.#payload(A.OVS_PACKET_ATTR_USERDATA);
  }

  /**
   * The flow's actions, the payload of an action list, if `userspace(...,actions)` requests them.
   */
  get actions(): Uint8Array | undefined {
    return this.#payload(A.OVS_PACKET_ATTR_ACTIONS);
  }

  /**
   * The tunnel by which the packet would leave, the payload of a tunnel key, if the action requests
   * it.
   */
  get egressTunnelKey(): Uint8Array | undefined {
    return this.#payload(A.OVS_PACKET_ATTR_EGRESS_TUN_KEY);
  }

  /** Length of the whole frame in bytes. */
  get length(): number {
    const bytes = this.#payload(A.OVS_PACKET_ATTR_LEN);
    return bytes === undefined ? this.packet.length : littleEndian(bytes, 0, 4);
  }

  /** The largest received fragment, if conntrack reassembled the packet; otherwise 0. */
  get mru(): number {
    const mru = this.#payload(A.OVS_PACKET_ATTR_MRU);
    return mru === undefined ? 0 : littleEndian(mru, 0, 2);
  }

  /** The hash of the packet's flow in the kernel, as 8 bytes; undefined before kernel 5.5. */
  get hash(): Uint8Array | undefined {
    return this.#payload(A.OVS_PACKET_ATTR_HASH);
  }

  /** The port by which the packet came in; undefined if it came from none. */
  get inPort(): number | undefined {
    const reader = READER.reset(this.bytes, this.keyStart, this.keyEnd);
    while (reader.next()) {
      if (reader.type !== A.OVS_KEY_ATTR_IN_PORT || reader.length < 4) continue;
      return littleEndian(this.bytes, reader.start, 4);
    }
    return undefined;
  }

  /**
   * The key as text, every field exact. With actions appended, it is the line of a flow for exactly
   * such packets.
   */
  get key(): string {
    return this.keyText();
  }

  /** @param ports names for port numbers */
  keyText(ports?: PortNames): string {
    if (!decodePacketKey(this.bytes, this.keyStart, this.keyEnd, RECORD)) {
      throw new MillraceError("MALFORMED", "the kernel's key is malformed");
    }
    const style = { verbose: false, ...(ports === undefined ? {} : { ports }) };
    printKey(RECORD, TEXT.clear(), style);
    return TEXT.toString();
  }

  #payload(type: number): Uint8Array | undefined {
    const bytes = this.#bytes;
    const reader = READER.reset(bytes, this.#start, this.#end);
    while (reader.next()) {
      if (reader.type === type) return bytes.subarray(reader.start, reader.start + reader.length);
    }
    return undefined;
  }
}

function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/**
 * Sends a packet through an action list, as if a flow with these actions had matched it. The kernel
 * does not report where it went; only the counters of ports do.
 * @param actions as in a flow: `2`, `set(eth(dst=…)),2`, `userspace(pid=…)`
 * @throws FlowSyntaxError; NetlinkError; MillraceError `USAGE`
 */
export function executePacket(
  datapath: DatapathHandle,
  packet: PacketToExecute,
  actions: string,
  ports?: PortNames,
): void {
  checkNumber("mru", packet.mru ?? 0, 0, U16_MAX);
  datapath.channel.transact({
    family: A.OVS_PACKET_FAMILY,
    version: A.OVS_PACKET_VERSION,
    command: A.OVS_PACKET_CMD_EXECUTE,
    datapath: datapath.index,
    doing: `executing a packet in ${datapath.name}`,
    write: (writer) => {
      writer.bytes(A.OVS_PACKET_ATTR_PACKET, packet.packet);
      putPacketKey(writer, packet, ports);
      const nest = writer.nest(A.OVS_PACKET_ATTR_ACTIONS);
      parseActions(cursorOver(actions), writer, ports);
      writer.endNest(nest);
      if (packet.mru !== undefined && packet.mru > 0) writer.u16(A.OVS_PACKET_ATTR_MRU, packet.mru);
    },
  });
}

function putPacketKey(writer: AttributeWriter, packet: PacketToExecute, ports?: PortNames): void {
  const key = packet instanceof Upcall ? packet.keyBytes : (packet.key ?? "");
  if (typeof key !== "string") {
    writer.bytes(A.OVS_PACKET_ATTR_KEY, key);
    return;
  }
  const nest = writer.nest(A.OVS_PACKET_ATTR_KEY);
  if (key !== "") {
    parseWholeKey(cursorOver(key), RECORD, ports);
    normalize(RECORD);
    writeKey(RECORD, writer);
  }
  writer.endNest(nest);
}

function cursorOver(text: string): Cursor {
  const bytes = new TextEncoder().encode(text);
  return new Cursor().reset(bytes, 0, bytes.length, 1);
}
