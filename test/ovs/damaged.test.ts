import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { Flow } from "../../src/flow/flow.ts";
import { AttributeReader } from "../../src/netlink/attribute-reader.ts";
import { decodeDatapath } from "../../src/ovs/datapath.ts";
import { decodeFlow, newFlowParts } from "../../src/flow/parts.ts";
import { decodeMeter, decodeMeterFeatures } from "../../src/ovs/meter.ts";
import { decodePort } from "../../src/ovs/vport.ts";
import { PROPERTY } from "../flow/harness.ts";
import { RECORDED } from "./recorded.ts";
import {
  connectionOf,
  flowOf,
  limitsOf,
  messageOf,
  type Placed,
  placedAlone,
  recorded,
  shownChange,
  tunnelOf,
  upcallOf,
} from "./decode.ts";

const DECODERS: readonly (readonly [name: string, decode: (placed: Placed) => unknown])[] = [
  ["ovs_datapath", (placed) => decodeDatapath(messageOf(placed))],
  ["ovs_vport", (placed) => decodePort(messageOf(placed))],
  ["ovs_vport", tunnelOf],
  ["ovs_flow", flowOf],
  ["ovs_packet miss", (placed) => upcallOf(placed)],
  ["ovs_packet action", (placed) => upcallOf(placed, 2)],
  ["ovs_meter features", (placed) => decodeMeterFeatures(messageOf(placed))],
  ["ovs_meter", (placed) => decodeMeter(messageOf(placed))],
  ["ovs_ct_limit", limitsOf],
  ["nf_conntrack", connectionOf],
  ["ovs_datapath event", shownChange("datapath")],
  ["ovs_vport event", shownChange("port")],
  ["ovs_flow event", shownChange("flow")],
];

/** A recorded message with some bytes flipped, lengths of attributes above all, and maybe cut. */
function damaged(name: string): fc.Arbitrary<Uint8Array> {
  const messages = (RECORDED[name] ?? []).map((hex) => Uint8Array.fromHex(hex));
  const flips = fc.array(
    fc.record({ at: fc.nat(), to: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 4, 5, 255)) }),
    { maxLength: 6 },
  );
  return fc
    .tuple(fc.constantFrom(...messages), flips, fc.nat(), fc.boolean())
    .map(([message, all, length, cut]) => {
      const bytes = message.slice(0, cut ? length % (message.length + 1) : message.length);
      // Attributes begin at multiples of four, with their lengths.
      for (const [i, { at, to }] of all.entries()) {
        const place = bytes.length === 0 ? 0 : at % bytes.length;
        bytes[i % 2 === 0 ? place & ~3 : place] = to;
      }
      return bytes;
    });
}

/** The bytes, with others around them. */
function placedAmong(bytes: Uint8Array, filler: number): Placed {
  const around = new Uint8Array(bytes.length + 64).fill(filler);
  around.set(bytes, 32);
  return { bytes: around, start: 32, end: 32 + bytes.length };
}

test.each(DECODERS)(
  "%s: of flipped and cut bytes none beyond them is looked at",
  (name, decode) => {
    fc.assert(
      fc.property(damaged(name), (bytes) => {
        // Nothing follows: what is read beyond is an error here, and another value there.
        const alone = decode({ bytes, start: 0, end: bytes.length });
        expect(decode({ bytes: bytes.slice(), start: 0, end: bytes.length })).toEqual(alone);
        for (const filler of [0, 0xff, 0x08])
          expect(decode(placedAmong(bytes, filler))).toEqual(alone);
      }),
      PROPERTY,
    );
  },
);

/** Bytes before the attributes. */
const HEADERS: Readonly<Record<string, number>> = {
  nf_conntrack: 4,
  "ovs_datapath event": 8,
  "ovs_vport event": 8,
  "ovs_flow event": 8,
};

/** Each attribute by itself, and each of those in it, with its payload cut to every length. */
function* cutAttributes(bytes: Uint8Array, start: number, end: number): Generator<Uint8Array> {
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) {
    const { type, start: at, length } = reader;
    const flags = (bytes[at - 1] ?? 0) & 0xc0;
    const made = (payload: Uint8Array): Uint8Array => {
      const size = 4 + payload.length;
      return Uint8Array.of(size & 255, size >> 8, type & 255, (type >> 8) | flags, ...payload);
    };
    for (let cut = 0; cut < Math.min(length, 80); cut++) yield made(bytes.slice(at, at + cut));
    for (const inner of cutAttributes(bytes, at, at + length)) yield made(inner);
  }
}

test.each(DECODERS)("%s: of an attribute that is too short nothing is made", (name, decode) => {
  const header = HEADERS[name] ?? 0;
  let cut = 0;
  for (const { bytes } of recorded(name)) {
    for (const attribute of cutAttributes(bytes, header, bytes.length)) {
      const message = new Uint8Array(header + attribute.length);
      message.set(bytes.subarray(0, header));
      message.set(attribute, header);
      const alone = decode({ bytes: message, start: 0, end: message.length });
      for (const filler of [0, 0xff]) {
        expect(decode(placedAmong(message, filler))).toEqual(alone);
      }
      cut++;
    }
  }
  expect(cut).toBeGreaterThan(7);
});

test("a UFID of fewer than 16 bytes is told as such, and names the flow all the same", () => {
  const view = newFlowParts();
  decodeFlow(messageOf(placedAlone("0c0009000102030405060708")), view);
  const flow = Flow.fromParts(view);
  expect(flow.ufid).toBe("0x0102030405060708");
  expect(flow.identity).toEqual({ ufid: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
});

test("the upcalls of a port, which Linux 6.3 counts, are read where they are whole", () => {
  const upcallsOf = (hex: string, filler = 0): unknown =>
    decodePort(messageOf(placedAmong(Uint8Array.fromHex(hex), filler))).upcalls;
  const [success, fail] = ["0c0000000700000000000000", "0c0001000300000001000000"];
  expect(upcallsOf(`1c000a00${success}${fail}`)).toEqual({ success: 7, fail: 2 ** 32 + 3 });
  expect(upcallsOf(`10000a00${success}`)).toEqual({ success: 7, fail: 0 });
  expect(upcallsOf("0c000a000800000007000000", 0xff)).toEqual({ success: 0, fail: 0 });
});

test("a number that is cut off is none", () => {
  // MAX_METERS and MAX_BANDS without a payload, at the end of the buffer.
  const features = decodeMeterFeatures(messageOf(placedAlone("0400070004000800")));
  expect(features).toEqual({ maxMeters: 0, maxBands: 0, bandTypes: [] });
  expect(connectionOf(placedAlone("020000"))).toBeUndefined();
});

test("a view that is used again keeps nothing of the flow before", () => {
  const [whole] = recorded("ovs_flow");
  const view = newFlowParts();
  if (whole === undefined) throw new Error("recorded");
  decodeFlow(messageOf(whole), view);
  decodeFlow(messageOf(placedAlone("")), view);
  expect(view).toEqual({ ...newFlowParts(), bytes: new Uint8Array(0) });
});
