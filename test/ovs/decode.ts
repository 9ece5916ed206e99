// Reads recorded messages for tests, and selects the parts of decoded ones to compare.
import { expect } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { MessageReader } from "../../src/netlink/message.ts";
import type { Connection } from "../../src/conntrack/connection.ts";
import { decodeConnection } from "../../src/conntrack/decode.ts";
import type { OvsMessage } from "../../src/ovs/channel.ts";
import { type CtLimitInfo, decodeCtLimits } from "../../src/ovs/ct-limit.ts";
import { type ChangeEvent, type ChangeKind, decodeChange } from "../../src/ovs/events.ts";
import { decodeFlow, identityOf, newFlowParts } from "../../src/flow/parts.ts";
import { Upcall } from "../../src/ovs/packet.ts";
import { decodeTunnel } from "../../src/ovs/tunnel.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { RECORDED } from "./recorded.ts";

/** Bytes of a message among others: from `start` to `end`. */
export type Placed = { readonly bytes: Uint8Array; readonly start: number; readonly end: number };

export const messageOf = ({ bytes, start, end }: Placed): OvsMessage => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, view, datapath: 7, start, end };
};

export function flowOf(placed: Placed): object {
  const view = newFlowParts();
  decodeFlow(messageOf(placed), view);
  for (const { start, end } of [view.ufid, view.key, view.mask, view.actions]) {
    const inside = start >= placed.start && end <= placed.end && start <= end;
    if (start !== -1 && !inside) throw new Error("a range beyond the message");
  }
  const flow = Flow.fromParts(view);
  const { ufid, packets, byteCount, usedMs, tcpFlags } = flow;
  const text = flow.toString({ verbose: true });
  return { ufid, packets, byteCount, usedMs, tcpFlags, text, identity: identityOf(view) };
}

export function upcallOf(placed: Placed, command = 1): object {
  const upcall = new Upcall().point(command, placed.bytes, placed.start, placed.end);
  const { kind, inPort, length, mru, packet, userdata, actions, hash, egressTunnelKey } = upcall;
  return {
    kind,
    inPort,
    length,
    mru,
    packet: packet.toHex(),
    userdata: userdata?.toHex(),
    actions: actions?.toHex(),
    hash: hash?.length,
    egress: egressTunnelKey?.length,
    key: saidOrThrown(() => upcall.key),
    retained: upcall.retain().packet.toHex(),
  };
}

// Only an unreadable key may throw, and the error says so.
function saidOrThrown(run: () => string): string {
  try {
    return run();
  } catch (error) {
    if (error instanceof MillraceError && error.code === "MALFORMED") return error.code;
    throw error;
  }
}

export function limitsOf(placed: Placed): CtLimitInfo[] {
  const found: CtLimitInfo[] = [];
  decodeCtLimits(messageOf(placed), found);
  return found;
}

export function connectionOf({ bytes, start, end }: Placed): Connection | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decodeConnection(bytes, view, start, end);
}

export function tunnelOf({ bytes, start, end }: Placed): object {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decodeTunnel(bytes, view, start, end);
}

/** An event, from its generic header on. */
export function changeOf(
  { bytes, start, end }: Placed,
  kind: ChangeKind,
  wanted?: number,
): ChangeEvent | undefined {
  // As in a receive buffer: at a multiple of four, after the netlink header.
  const memory = new PinnedMemory((bytes.length + 40) & ~3);
  memory.u8.fill(bytes[start - 1] ?? 0);
  memory.u8.set(bytes.subarray(start, end), 16);
  memory.u32[0] = 16 + end - start;
  const reader = new MessageReader(memory).reset(0, 16 + end - start);
  if (!reader.next()) throw new Error("no message");
  return decodeChange(memory, reader, kind, wanted);
}

export const shownChange =
  (kind: ChangeKind): ((placed: Placed) => unknown) =>
  (placed) => {
    const event = changeOf(placed, kind);
    if (event?.kind !== "flow") return event;
    return { ...event, flow: event.flow.toString({ verbose: true }), ufid: event.flow.ufid };
  };

export const placedAlone = (hex: string): Placed => {
  const bytes = Uint8Array.fromHex(hex);
  return { bytes, start: 0, end: bytes.length };
};

export const recorded = (name: string): Placed[] => {
  const list = RECORDED[name] ?? [];
  expect(list.length).toBeGreaterThan(0);
  return list.map(placedAlone);
};
