import { AttributeReader } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { EINVAL, ENODEV, ENOENT, EOPNOTSUPP } from "../sys/errno.ts";
import * as A from "../uapi/openvswitch.ts";
import type { MeterState } from "./datapath-state.ts";
import { OvsFamily } from "./ovs-family.ts";
import { headOf, ovsAttributes } from "./ovs-message.ts";
import { type Attributes, attributesOf, type Request, u32Of } from "./wire.ts";

// The family ovs_meter of a kernel in memory.

const METERS_MAX = 200_000;

/** Meter commands as net/openvswitch/meter.c has them; nothing is metered. */
export class MeterFamily extends OvsFamily {
  readonly name: string = A.OVS_METER_FAMILY;
  readonly version: number = A.OVS_METER_VERSION;
  readonly attributeMax: number = A.OVS_METER_ATTR_MAX_BANDS;
  readonly groups: readonly string[] = [A.OVS_METER_MCGROUP];

  run(request: Request, reply: (message: Uint8Array) => void): number {
    const given = ovsAttributes(request);
    if (given === undefined) return EINVAL;
    const { command, datapath } = headOf(request);
    const answer = (write: (writer: AttributeWriter) => void): void =>
      reply(this.message({ command, datapath, request }, write));
    if (command < A.OVS_METER_CMD_FEATURES || command > A.OVS_METER_CMD_GET) return EOPNOTSUPP;
    const dp = this.kernel.byIndex(datapath);
    if (command === A.OVS_METER_CMD_FEATURES) {
      if (dp === undefined) return ENODEV;
      answer(putFeatures);
      return 0;
    }
    const id = u32Of(given, A.OVS_METER_ATTR_ID);
    if (command === A.OVS_METER_CMD_SET) {
      const made = meterOf(given);
      if (typeof made === "number") return made;
      if (id === undefined) return EINVAL;
      if (dp === undefined) return ENODEV;
      const old = dp.meters.get(id);
      dp.meters.set(id, made);
      answer((writer) => {
        writer.u32(A.OVS_METER_ATTR_ID, id);
        if (old?.keepsStats === true) putMeter(writer, id, old);
      });
      return 0;
    }
    if (id === undefined) return EINVAL;
    if (dp === undefined) return ENODEV;
    const meter = dp.meters.get(id);
    if (command === A.OVS_METER_CMD_GET && meter === undefined) return ENOENT;
    if (command === A.OVS_METER_CMD_DEL) dp.meters.delete(id);
    answer((writer) => meter !== undefined && putMeter(writer, id, meter));
    return 0;
  }
}

// dp_meter_create
function meterOf(given: Attributes): MeterState | number {
  const list = given.get(A.OVS_METER_ATTR_BANDS);
  if (list === undefined) return EINVAL;
  const rates = ratesOf(list);
  if (rates.length > 1 || rates.includes(0)) return EINVAL;
  const keepsStats = !given.has(A.OVS_METER_ATTR_CLEAR);
  return { bands: rates.length, keepsStats, packets: 0, byteCount: 0 };
}

/** The rate of each band: bands are attributes whose type means nothing, mostly the same one. */
function ratesOf(list: Uint8Array): number[] {
  const found: number[] = [];
  const reader = new AttributeReader().reset(list, 0, list.length);
  while (reader.next()) {
    const band = attributesOf(list.subarray(reader.start, reader.start + reader.length));
    found.push(u32Of(band, A.OVS_BAND_ATTR_RATE) ?? 0);
  }
  return found;
}

function putFeatures(writer: AttributeWriter): void {
  writer.u32(A.OVS_METER_ATTR_MAX_METERS, METERS_MAX);
  writer.u32(A.OVS_METER_ATTR_MAX_BANDS, 1);
  const bands = writer.nest(A.OVS_METER_ATTR_BANDS);
  const band = writer.nest(0);
  writer.u32(A.OVS_BAND_ATTR_TYPE, A.OVS_METER_BAND_TYPE_DROP);
  writer.endNest(band);
  writer.endNest(bands);
}

function putMeter(writer: AttributeWriter, id: number, meter: MeterState): void {
  writer.u32(A.OVS_METER_ATTR_ID, id);
  putStats(writer, A.OVS_METER_ATTR_STATS, meter.packets, meter.byteCount);
  writer.u64(A.OVS_METER_ATTR_USED, 1, 0);
  const bands = writer.nest(A.OVS_METER_ATTR_BANDS);
  for (let i = 0; i < meter.bands; i++) {
    const band = writer.nest(0);
    putStats(writer, A.OVS_BAND_ATTR_STATS, 0, 0);
    writer.endNest(band);
  }
  writer.endNest(bands);
}

function putStats(writer: AttributeWriter, type: number, packets: number, bytes: number): void {
  const at = writer.reserve(type, 16) >> 2;
  writer.memory.u32.set([packets, 0, bytes, 0], at);
}
