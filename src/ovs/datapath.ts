import { AttributeReader, decodeString } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { EEXIST, ENODEV, EOPNOTSUPP } from "../sys/errno.ts";
import { MillraceError, NotSupportedError } from "../sys/errors.ts";
import { NLM_F_ECHO } from "../uapi/netlink.ts";
import {
  OVS_DATAPATH_FAMILY,
  OVS_DATAPATH_VERSION,
  OVS_DP_ATTR_MASKS_CACHE_SIZE,
  OVS_DP_ATTR_MEGAFLOW_STATS,
  OVS_DP_ATTR_NAME,
  OVS_DP_ATTR_PER_CPU_PIDS,
  OVS_DP_ATTR_STATS,
  OVS_DP_ATTR_UPCALL_PID,
  OVS_DP_ATTR_USER_FEATURES,
  OVS_DP_CMD_DEL,
  OVS_DP_CMD_GET,
  OVS_DP_CMD_NEW,
  OVS_DP_CMD_SET,
  OVS_DP_F_DISPATCH_UPCALL_PER_CPU,
  OVS_DP_F_TC_RECIRC_SHARING,
  OVS_DP_F_UNALIGNED,
  OVS_DP_F_VPORT_PIDS,
} from "../uapi/openvswitch.ts";
import { type OvsChannel, type OvsMessage, onMessage } from "./channel.ts";

/** What can be switched on for a datapath (OVS_DP_F_*). */
export type DatapathFeature = "unaligned" | "vport-pids" | "tc-recirc-sharing" | "per-cpu-upcalls";

const FEATURES: readonly (readonly [bit: number, name: DatapathFeature])[] = [
  [OVS_DP_F_UNALIGNED, "unaligned"],
  [OVS_DP_F_VPORT_PIDS, "vport-pids"],
  [OVS_DP_F_TC_RECIRC_SHARING, "tc-recirc-sharing"],
  [OVS_DP_F_DISPATCH_UPCALL_PER_CPU, "per-cpu-upcalls"],
];

/** A datapath as the kernel describes it. Counters are numbers: exact up to 2^53. */
export type DatapathInfo = {
  readonly name: string;
  /** Its number in every request: the interface index of its local port. */
  readonly index: number;
  /** OVS_DP_F_* bits. */
  readonly userFeatures: number;
  /** The same in words. */
  readonly features: readonly DatapathFeature[];
  /** Netlink port ids that get the packets that miss, by CPU; empty unless `per-cpu-upcalls` is on. */
  readonly perCpuPortIds: readonly number[];
  /** Packets that found a flow, that did not, and upcalls that were dropped; flows now. */
  readonly stats: {
    readonly hit: number;
    readonly missed: number;
    readonly lost: number;
    readonly flows: number;
  };
  /** Masks tried, masks now, and look-ups that the mask cache answered. */
  readonly megaflow: {
    readonly maskHit: number;
    readonly masks: number;
    readonly cacheHit: number;
  };
  /** Slots of the mask cache; undefined before kernel 5.10. */
  readonly masksCacheSize: number | undefined;
};

/** What can be chosen of a datapath. */
export type DatapathOptions = {
  /** OVS_DP_F_* bits. A SET without them clears them. */
  readonly userFeatures?: number;
  /** 0 or a power of two up to 4,096. */
  readonly masksCacheSize?: number;
  /** Netlink port ids by CPU, for OVS_DP_F_DISPATCH_UPCALL_PER_CPU. */
  readonly perCpuPortIds?: readonly number[];
};

/** All datapaths of the channel's network namespace. */
export function listDatapaths(channel: OvsChannel): DatapathInfo[] {
  const found: DatapathInfo[] = [];
  const request = { ...datapathRequest(OVS_DP_CMD_GET), doing: "listing the datapaths" };
  for (const message of channel.dump(request)) found.push(decodeDatapath(message));
  return found;
}

/** @throws MillraceError `NO_DATAPATH` where there is none of that name */
export function getDatapath(channel: OvsChannel, name: string): DatapathInfo {
  return datapathReply(channel, OVS_DP_CMD_GET, name, "looking up", 0);
}

/** @throws MillraceError `EEXIST` where there is one of that name, `NO_PERMISSION` */
export function createDatapath(
  channel: OvsChannel,
  name: string,
  options: DatapathOptions = {},
): DatapathInfo {
  try {
    return datapathReply(channel, OVS_DP_CMD_NEW, name, "creating", NLM_F_ECHO, options);
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== EEXIST) throw error;
    const message = `there is a datapath or an interface "${name}" already`;
    throw new MillraceError("EEXIST", message, { cause: error });
  }
}

/** Changes features or the size of the mask cache. */
export function setDatapath(
  channel: OvsChannel,
  name: string,
  options: DatapathOptions,
): DatapathInfo {
  return datapathReply(channel, OVS_DP_CMD_SET, name, "changing", NLM_F_ECHO, options);
}

/** Deletes a datapath with its ports and flows. */
export function deleteDatapath(channel: OvsChannel, name: string): void {
  explainMissing(name, undefined, () => {
    channel.transact({
      ...datapathRequest(OVS_DP_CMD_DEL),
      doing: `deleting the datapath ${name}`,
      write: (writer) => writer.string(OVS_DP_ATTR_NAME, name),
    });
  });
}

function datapathRequest(command: number) {
  return { family: OVS_DATAPATH_FAMILY, version: OVS_DATAPATH_VERSION, command, datapath: 0 };
}

function datapathReply(
  channel: OvsChannel,
  command: number,
  name: string,
  verb: string,
  flags: number,
  options?: DatapathOptions,
): DatapathInfo {
  let found: DatapathInfo | undefined;
  explainMissing(name, options, () => {
    channel.transact(
      {
        ...datapathRequest(command),
        flags,
        doing: `${verb} the datapath ${name}`,
        write: (writer) => {
          writer.string(OVS_DP_ATTR_NAME, name);
          // 0: no upcalls, packets that miss are dropped until somebody asks for them.
          if (command === OVS_DP_CMD_NEW) writer.u32(OVS_DP_ATTR_UPCALL_PID, 0);
          if (options?.userFeatures !== undefined) {
            writer.u32(OVS_DP_ATTR_USER_FEATURES, options.userFeatures);
          }
          if (options?.masksCacheSize !== undefined) {
            writer.u32(OVS_DP_ATTR_MASKS_CACHE_SIZE, options.masksCacheSize);
          }
          if (options?.perCpuPortIds !== undefined) {
            putPortIds(writer, OVS_DP_ATTR_PER_CPU_PIDS, options.perCpuPortIds);
          }
        },
      },
      onMessage((message) => {
        found = decodeDatapath(message);
      }),
    );
  });
  return found ?? getDatapath(channel, name);
}

function explainMissing(name: string, options: DatapathOptions | undefined, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === EOPNOTSUPP) {
      // ovs_dp_change refuses bits that it does not know.
      const perCpu = ((options?.userFeatures ?? 0) & OVS_DP_F_DISPATCH_UPCALL_PER_CPU) !== 0;
      const feature = perCpu ? "upcalls per CPU" : `datapath features ${options?.userFeatures}`;
      throw new NotSupportedError(feature, perCpu ? "5.15" : "5.2", { cause: error });
    }
    if (!(error instanceof NetlinkError) || error.errno !== ENODEV) throw error;
    throw new MillraceError(
      "NO_DATAPATH",
      `there is no datapath "${name}": 'millrace dp list' shows those there are, ` +
        `'millrace dp add ${name}' makes it`,
      { cause: error },
    );
  }
}

/** Reads a datapath from a message of the family ovs_datapath. */
export function decodeDatapath(message: OvsMessage): DatapathInfo {
  const { bytes, view } = message;
  let name = "";
  let userFeatures = 0;
  let masksCacheSize: number | undefined;
  let perCpuPortIds: readonly number[] = [];
  let stats = { hit: 0, missed: 0, lost: 0, flows: 0 };
  let megaflow = { maskHit: 0, masks: 0, cacheHit: 0 };
  const reader = new AttributeReader().reset(bytes, message.start, message.end);
  while (reader.next()) {
    const { type, start, length } = reader;
    if (type === OVS_DP_ATTR_NAME) name = decodeString(bytes, start, start + length);
    else if (type === OVS_DP_ATTR_USER_FEATURES && length >= 4) {
      userFeatures = view.getUint32(start, true);
    } else if (type === OVS_DP_ATTR_MASKS_CACHE_SIZE && length >= 4) {
      masksCacheSize = view.getUint32(start, true);
    } else if (type === OVS_DP_ATTR_PER_CPU_PIDS) {
      perCpuPortIds = decodePortIds(view, start, length);
    } else if (type === OVS_DP_ATTR_STATS && length >= 32) {
      stats = {
        hit: counter(view, start),
        missed: counter(view, start + 8),
        lost: counter(view, start + 16),
        flows: counter(view, start + 24),
      };
    } else if (type === OVS_DP_ATTR_MEGAFLOW_STATS && length >= 24) {
      megaflow = {
        maskHit: counter(view, start),
        masks: view.getUint32(start + 8, true),
        cacheHit: counter(view, start + 16),
      };
    }
  }
  const features = FEATURES.filter(([bit]) => (userFeatures & bit) !== 0).map(([, word]) => word);
  return {
    name,
    index: message.datapath,
    userFeatures,
    features,
    perCpuPortIds,
    stats,
    megaflow,
    masksCacheSize,
  };
}

/** Writes an array of netlink port ids (u32). */
export function putPortIds(
  writer: AttributeWriter,
  type: number,
  portIds: readonly number[],
): void {
  const at = writer.reserve(type, portIds.length * 4);
  if (at < 0) return;
  portIds.forEach((portId, i) => (writer.memory.u32[(at >> 2) + i] = portId));
}

/** Reads an array of netlink port ids (u32). */
export function decodePortIds(view: DataView, start: number, length: number): number[] {
  return Array.from({ length: length >> 2 }, (_, i) => view.getUint32(start + i * 4, true));
}

/** A 64-bit counter as a number, exact up to 2^53. No BigInt: it would be allocated. */
export function counter(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}
