import { U32_MAX } from "../flow/bytes.ts";
import { AttributeReader, counterAt } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { ENOENT } from "../sys/errno.ts";
import { MillraceError, NotSupportedError } from "../sys/errors.ts";
import * as A from "../uapi/openvswitch.ts";
import { type OvsMessage, onMessage } from "./channel.ts";
import { checkNumber } from "./check.ts";
import type { DatapathHandle } from "./datapath.ts";

/** The abilities of the kernel's meters. */
export type MeterFeatures = {
  /** Depends on the machine's memory; 200,000 at most. */
  readonly maxMeters: number;
  readonly maxBands: number;
  /** Kinds of bands: `drop`, or `type N` for an unknown kind. */
  readonly bandTypes: readonly string[];
};

/** What a meter drops: everything above `rate`. */
export type MeterBand = {
  /** Packets or kilobits per second, depending on the meter's unit; at least 1. */
  readonly rate: number;
  /** Packets or kilobits above the rate that pass at once; 0 by default. */
  readonly burst?: number;
};

/** The configuration of a meter. */
export type MeterOptions = {
  /** The unit of the rates: packets or kilobits per second. */
  readonly unit: "packets" | "kilobits";
  /** The kernel takes one band. */
  readonly bands: readonly MeterBand[];
  /** Whether to reset the counters; by default an existing meter keeps them. */
  readonly clear?: boolean;
};

/** Packets and bytes. */
export type MeterCounters = { readonly packets: number; readonly bytes: number };

/** The statistics of a meter. The kernel does not report its rates. */
export type MeterInfo = {
  readonly id: number;
  /** All traffic of the meter. */
  readonly stats: MeterCounters;
  /** When the last packet came or the meter was set, in `monotonicMs`. */
  readonly usedMs: number;
  /** What each band dropped. */
  readonly bands: readonly MeterCounters[];
};

/** @throws NotSupportedError before kernel 4.15 */
export function meterFeatures(datapath: DatapathHandle): MeterFeatures {
  let found: MeterFeatures = { maxMeters: 0, maxBands: 0, bandTypes: [] };
  transact(datapath, {
    command: A.OVS_METER_CMD_FEATURES,
    doing: "asking for its features",
    use: (message) => {
      found = decodeMeterFeatures(message);
    },
  });
  return found;
}

/**
 * Creates or changes a meter.
 * @throws MillraceError `USAGE` for a number beyond 32 bits; NetlinkError: EINVAL for a rate of 0
 * or a second band, EFBIG beyond the maximum number of meters
 */
export function setMeter(datapath: DatapathHandle, id: number, options: MeterOptions): void {
  checkId(id);
  for (const { rate, burst } of options.bands) {
    checkNumber("meter rate", rate, 0, U32_MAX);
    checkNumber("meter burst", burst ?? 0, 0, U32_MAX);
  }
  const write = (writer: AttributeWriter): void => {
    writer.u32(A.OVS_METER_ATTR_ID, id);
    if (options.unit === "kilobits") writer.flag(A.OVS_METER_ATTR_KBPS);
    if (options.clear === true) writer.flag(A.OVS_METER_ATTR_CLEAR);
    const bands = writer.nest(A.OVS_METER_ATTR_BANDS);
    for (const { rate, burst } of options.bands) {
      const band = writer.nest(0);
      writer.u32(A.OVS_BAND_ATTR_TYPE, A.OVS_METER_BAND_TYPE_DROP);
      writer.u32(A.OVS_BAND_ATTR_RATE, rate);
      writer.u32(A.OVS_BAND_ATTR_BURST, burst ?? 0);
      writer.endNest(band);
    }
    writer.endNest(bands);
  };
  transact(datapath, { command: A.OVS_METER_CMD_SET, doing: `setting ${id}`, write });
}

/** @returns undefined if there is no such meter */
export function getMeter(datapath: DatapathHandle, id: number): MeterInfo | undefined {
  checkId(id);
  let found: MeterInfo | undefined;
  try {
    transact(datapath, {
      command: A.OVS_METER_CMD_GET,
      doing: `reading ${id}`,
      write: (writer) => writer.u32(A.OVS_METER_ATTR_ID, id),
      use: (message) => {
        found = decodeMeter(message);
      },
    });
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENOENT) return undefined;
    throw error;
  }
  return found;
}

/**
 * Deletes a meter; flows that use it then let everything pass.
 * @returns its last counters; undefined if there was none
 */
export function deleteMeter(datapath: DatapathHandle, id: number): MeterInfo | undefined {
  // The kernel silently accepts the deletion of a missing meter.
  const last = getMeter(datapath, id);
  if (last === undefined) return undefined;
  transact(datapath, {
    command: A.OVS_METER_CMD_DEL,
    doing: `deleting ${id}`,
    write: (writer) => writer.u32(A.OVS_METER_ATTR_ID, id),
  });
  return last;
}

function checkId(id: number): void {
  checkNumber("meter", id, 0, U32_MAX);
}

/** A request about meters, and the handler of its reply. */
type MeterRequest = {
  readonly command: number;
  readonly doing: string;
  readonly write?: (writer: AttributeWriter) => void;
  readonly use?: (message: OvsMessage) => void;
};

function transact(
  datapath: DatapathHandle,
  { use = () => {}, doing, ...asked }: MeterRequest,
): void {
  const request = {
    ...asked,
    family: A.OVS_METER_FAMILY,
    version: A.OVS_METER_VERSION,
    datapath: datapath.index,
    doing: `meters of ${datapath.name}: ${doing}`,
  };
  try {
    datapath.channel.transact(request, onMessage(use));
  } catch (error) {
    if (error instanceof MillraceError && error.code === "NO_MODULE") {
      throw new NotSupportedError("meters in its datapath", "4.15", { cause: error });
    }
    throw error;
  }
}

/** Reads the abilities of meters from a message of the family ovs_meter. */
export function decodeMeterFeatures({ bytes, view, start, end }: OvsMessage): MeterFeatures {
  let maxMeters = 0;
  let maxBands = 0;
  const bandTypes: string[] = [];
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) {
    const { type, start: at, length } = reader;
    if (type === A.OVS_METER_ATTR_MAX_METERS && length >= 4) maxMeters = view.getUint32(at, true);
    else if (type === A.OVS_METER_ATTR_MAX_BANDS && length >= 4)
      maxBands = view.getUint32(at, true);
    else if (type === A.OVS_METER_ATTR_BANDS) {
      forEachBand(bytes, reader, (inner, from, size) => {
        if (inner !== A.OVS_BAND_ATTR_TYPE || size < 4) return;
        const band = view.getUint32(from, true);
        bandTypes.push(band === A.OVS_METER_BAND_TYPE_DROP ? "drop" : `type ${band}`);
      });
    }
  }
  return { maxMeters, maxBands, bandTypes };
}

/** Reads a meter from a message of the family ovs_meter. */
export function decodeMeter({ bytes, view, start, end }: OvsMessage): MeterInfo {
  let id = 0;
  let stats = { packets: 0, bytes: 0 };
  let usedMs = 0;
  const bands: MeterCounters[] = [];
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) {
    const { type, start: at, length } = reader;
    if (type === A.OVS_METER_ATTR_ID && length >= 4) id = view.getUint32(at, true);
    else if (type === A.OVS_METER_ATTR_STATS && length >= 16) stats = decodeCounters(view, at);
    else if (type === A.OVS_METER_ATTR_USED && length >= 8) usedMs = counterAt(view, at);
    else if (type === A.OVS_METER_ATTR_BANDS) {
      forEachBand(bytes, reader, (inner, from, size) => {
        if (inner === A.OVS_BAND_ATTR_STATS && size >= 16) bands.push(decodeCounters(view, from));
      });
    }
  }
  return { id, stats, usedMs, bands };
}

// struct ovs_flow_stats { u64 packets, bytes }
function decodeCounters(view: DataView, at: number): MeterCounters {
  return { packets: counterAt(view, at), bytes: counterAt(view, at + 8) };
}

function forEachBand(
  bytes: Uint8Array,
  bands: AttributeReader,
  use: (type: number, start: number, length: number) => void,
): void {
  const list = new AttributeReader().reset(bytes, bands.start, bands.start + bands.length);
  const band = new AttributeReader();
  while (list.next()) {
    band.reset(bytes, list.start, list.start + list.length);
    while (band.next()) use(band.type, band.start, band.length);
  }
}
