import { U32_MAX } from "../flow/bytes.ts";
import { AttributeReader, counterAt, decodeString } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { EEXIST, ENODEV, EOPNOTSUPP } from "../sys/errno.ts";
import { MillraceError, NotSupportedError } from "../sys/errors.ts";
import { NLM_F_ECHO } from "../uapi/netlink.ts";
import * as A from "../uapi/openvswitch.ts";
import { type OvsChannel, type OvsMessage, onMessage } from "./channel.ts";
import { checkName, checkNumber, isName, usage } from "./check.ts";

/** A feature that can be enabled for a datapath (OVS_DP_F_*). */
export type DatapathFeature = "unaligned" | "vport-pids" | "tc-recirc-sharing" | "per-cpu-upcalls";

type FeatureRow = { readonly bit: number; readonly word: DatapathFeature; readonly since: string };

const FEATURES: readonly FeatureRow[] = [
  { bit: A.OVS_DP_F_UNALIGNED, word: "unaligned", since: "3.14" },
  { bit: A.OVS_DP_F_VPORT_PIDS, word: "vport-pids", since: "3.17" },
  {
    bit: A.OVS_DP_F_TC_RECIRC_SHARING,
    word: "tc-recirc-sharing",
    since: "5.4 with NET_TC_SKB_EXT",
  },
  { bit: A.OVS_DP_F_DISPATCH_UPCALL_PER_CPU, word: "per-cpu-upcalls", since: "5.15" },
];

/** Every feature by its name. */
export const DATAPATH_FEATURES: readonly DatapathFeature[] = FEATURES.map(({ word }) => word);

/** A datapath as the kernel describes it. Counters are numbers: exact up to 2^53. */
export type DatapathInfo = {
  readonly name: string;
  /** Its number in requests: the interface index of its local port. */
  readonly index: number;
  /** OVS_DP_F_* bits. */
  readonly userFeatures: number;
  /** The same bits by name. */
  readonly features: readonly DatapathFeature[];
  /** Netlink port ids that receive missed packets, by CPU; empty unless `per-cpu-upcalls` is on. */
  readonly perCpuPortIds: readonly number[];
  /**
   * Packets that found a flow, packets that did not, dropped upcalls, and the current number of
   * flows.
   */
  readonly stats: {
    readonly hit: number;
    readonly missed: number;
    readonly lost: number;
    readonly flows: number;
  };
  /** Masks tried, the current number of masks, and look-ups that the mask cache answered. */
  readonly megaflow: {
    readonly maskHit: number;
    readonly masks: number;
    readonly cacheHit: number;
  };
  /** Slots of the mask cache; undefined before kernel 5.10. */
  readonly masksCacheSize: number | undefined;
};

/** Options of a datapath. */
export type DatapathOptions = {
  /** All features to enable; the others are disabled. If absent, features do not change. */
  readonly features?: readonly DatapathFeature[];
  /**
   * The same as OVS_DP_F_* bits, for features without a name here; not together with `features`.
   */
  readonly userFeatures?: number;
  /** 0 or a power of two up to 4,096. */
  readonly masksCacheSize?: number;
  /** Netlink port ids by CPU, for A.OVS_DP_F_DISPATCH_UPCALL_PER_CPU. */
  readonly perCpuPortIds?: readonly number[];
};

/** What requests about a datapath, its ports and flows need. It holds no state of the datapath. */
export type DatapathHandle = {
  readonly channel: OvsChannel;
  /** The interface index of its local port (`dp_ifindex`), which names it in requests. */
  readonly index: number;
  readonly name: string;
};

/** The type that ovs-dpctl gives the kernel's datapaths. */
const SYSTEM = "system@";

/** The kernel's name of a datapath, which may be written as ovs-dpctl does: `system@NAME`. */
export function kernelName(name: string): string {
  return name.startsWith(SYSTEM) ? name.slice(SYSTEM.length) : name;
}

/** @throws MillraceError `NO_DATAPATH` if there is none of that name */
export function openDatapath(channel: OvsChannel, name: string): DatapathHandle {
  return handleOf(channel, getDatapath(channel, name));
}

/** The handle of a datapath that was looked up or made. */
export function handleOf(
  channel: OvsChannel,
  { index, name }: Pick<DatapathInfo, "index" | "name">,
): DatapathHandle {
  return { channel, index, name };
}

/** All datapaths of the channel's network namespace. */
export function listDatapaths(channel: OvsChannel): DatapathInfo[] {
  const found: DatapathInfo[] = [];
  const request = { ...datapathRequest(A.OVS_DP_CMD_GET), doing: "listing the datapaths" };
  for (const message of channel.dump(request)) found.push(decodeDatapath(message));
  return found;
}

/** @throws MillraceError `NO_DATAPATH` if there is none of that name */
export function getDatapath(channel: OvsChannel, written: string): DatapathInfo {
  const name = kernelName(written);
  const doing = `looking up the datapath ${name}`;
  const found = explained(name, 0, () => reply(channel, name, A.OVS_DP_CMD_GET, { doing }));
  if (found === undefined) throw missing(name);
  return found;
}

/** The current state of a datapath. @throws as {@link getDatapath} */
export function infoOf({ channel, name }: DatapathHandle): DatapathInfo {
  return getDatapath(channel, name);
}

/** @throws MillraceError `EEXIST` if there is one of that name, `NO_PERMISSION`, `USAGE` */
export function createDatapath(
  channel: OvsChannel,
  written: string,
  options: DatapathOptions = {},
): DatapathInfo {
  const name = kernelName(written);
  checkName("datapath", name);
  const settings = settingsOf(options);
  try {
    return changed(channel, name, { command: A.OVS_DP_CMD_NEW, settings, held: 0 });
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== EEXIST) throw error;
    const message = `there is a datapath or an interface "${name}" already`;
    throw new MillraceError("EEXIST", message, { cause: error });
  }
}

/**
 * Changes features, the size of the mask cache, or the receivers of misses by CPU; keeps everything
 * else.
 * @throws MillraceError `NO_DATAPATH`, `NO_PERMISSION`, `USAGE`; NotSupportedError; NetlinkError
 */
export function setDatapath(
  channel: OvsChannel,
  written: string,
  options: DatapathOptions,
): DatapathInfo {
  const name = kernelName(written);
  const settings = settingsOf(options);
  const { userFeatures: held } = getDatapath(channel, name);
  // To the kernel, a SET without features clears them (ovs_dp_change in datapath.c).
  const all = { ...settings, userFeatures: settings.userFeatures ?? held };
  return changed(channel, name, { command: A.OVS_DP_CMD_SET, settings: all, held });
}

/** Options as attributes have them. */
type Settings = Omit<DatapathOptions, "features">;

function settingsOf({ features, ...others }: DatapathOptions): Settings {
  if (others.userFeatures !== undefined) {
    checkNumber("userFeatures", others.userFeatures, 0, U32_MAX);
    if (features !== undefined) throw usage("features and userFeatures say the same: give one");
  }
  if (others.masksCacheSize !== undefined) {
    checkNumber("masksCacheSize", others.masksCacheSize, 0, U32_MAX);
  }
  for (const id of others.perCpuPortIds ?? []) checkNumber("perCpuPortIds", id, 0, U32_MAX);
  if (features === undefined) return others;
  return { ...others, userFeatures: features.reduce((bits, word) => bits | bitOf(word), 0) };
}

function bitOf(word: DatapathFeature): number {
  const row = FEATURES.find((known) => known.word === word);
  if (row !== undefined) return row.bit;
  throw usage(`features: found "${word}", expected ${DATAPATH_FEATURES.join(", ")}`);
}

/** Deletes a datapath with its ports and flows. */
export function deleteDatapath(channel: OvsChannel, written: string): void {
  const name = kernelName(written);
  explained(name, 0, () => {
    channel.transact({
      ...datapathRequest(A.OVS_DP_CMD_DEL),
      doing: `deleting the datapath ${name}`,
      write: (writer) => writer.string(A.OVS_DP_ATTR_NAME, name),
    });
  });
}

function datapathRequest(command: number) {
  return { family: A.OVS_DATAPATH_FAMILY, version: A.OVS_DATAPATH_VERSION, command, datapath: 0 };
}

/** A change of a datapath. */
type DatapathChange = {
  readonly command: number;
  readonly settings: Settings;
  /** Features that are already enabled. */
  readonly held: number;
};

/** Creates or changes a datapath. @returns its new state */
function changed(
  channel: OvsChannel,
  name: string,
  { command, settings, held }: DatapathChange,
): DatapathInfo {
  const doing = `${command === A.OVS_DP_CMD_NEW ? "creating" : "changing"} the datapath ${name}`;
  const { userFeatures, masksCacheSize, perCpuPortIds } = settings;
  const write = (writer: AttributeWriter): void => {
    // 0: no upcalls; missed packets are dropped until a program asks for them.
    if (command === A.OVS_DP_CMD_NEW) writer.u32(A.OVS_DP_ATTR_UPCALL_PID, 0);
    if (userFeatures !== undefined) writer.u32(A.OVS_DP_ATTR_USER_FEATURES, userFeatures);
    if (masksCacheSize !== undefined) writer.u32(A.OVS_DP_ATTR_MASKS_CACHE_SIZE, masksCacheSize);
    if (perCpuPortIds !== undefined) putPortIds(writer, A.OVS_DP_ATTR_PER_CPU_PIDS, perCpuPortIds);
  };
  const found = explained(name, (userFeatures ?? 0) & ~held, () =>
    reply(channel, name, command, { doing, flags: NLM_F_ECHO, write }),
  );
  return found ?? getDatapath(channel, name);
}

type Asked = {
  readonly doing: string;
  readonly flags?: number;
  /** Appends attributes after the name. */
  readonly write?: (writer: AttributeWriter) => void;
};

/** The kernel's reply to a request about a datapath; undefined if there is none. */
function reply(
  channel: OvsChannel,
  name: string,
  command: number,
  { doing, flags = 0, write }: Asked,
): DatapathInfo | undefined {
  let found: DatapathInfo | undefined;
  channel.transact(
    {
      ...datapathRequest(command),
      flags,
      doing,
      write: (writer) => {
        writer.string(A.OVS_DP_ATTR_NAME, name);
        write?.(writer);
      },
    },
    onMessage((message) => {
      found = decodeDatapath(message);
    }),
  );
  return found;
}

// Translates an errno: the datapath is missing, or the kernel does not know a feature.
function explained<T>(name: string, newFeatures: number, run: () => T): T {
  if (!isName(name)) throw missing(name);
  try {
    return run();
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (error.errno === EOPNOTSUPP) throw lackingFeatures(newFeatures, error);
    throw error.errno === ENODEV ? missing(name, error) : error;
  }
}

function missing(name: string, cause?: NetlinkError): MillraceError {
  const [type = "", plain] = name.split("@");
  const make = isName(name) ? `, 'millrace dp add ${name}' creates it` : "";
  const hint =
    plain === undefined
      ? `'millrace dp list' shows the existing ones${make}`
      : `those of the kernel have no type "${type}"; write "${plain}" or "system@${plain}"`;
  const message = `there is no datapath "${name}": ${hint}`;
  return new MillraceError("NO_DATAPATH", message, { cause });
}

/**
 * The kernel refuses unknown bits without saying which; only bits that were not yet on can be
 * unknown.
 */
function lackingFeatures(bits: number, cause: NetlinkError): NotSupportedError {
  const known = FEATURES.filter(({ bit }) => (bits & bit) !== 0);
  const others = known.reduce((left, { bit }) => left & ~bit, bits) >>> 0;
  const words = known.map(({ word }) => word);
  const named = others === 0 ? words.join(" or ") : `0x${others.toString(16)}`;
  const since = others === 0 ? known.at(-1)?.since : undefined;
  return new NotSupportedError(`datapath feature ${named}`, since, { cause });
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
    if (type === A.OVS_DP_ATTR_NAME) name = decodeString(bytes, start, start + length);
    else if (type === A.OVS_DP_ATTR_USER_FEATURES && length >= 4) {
      userFeatures = view.getUint32(start, true);
    } else if (type === A.OVS_DP_ATTR_MASKS_CACHE_SIZE && length >= 4) {
      masksCacheSize = view.getUint32(start, true);
    } else if (type === A.OVS_DP_ATTR_PER_CPU_PIDS) {
      perCpuPortIds = decodePortIds(view, start, length);
    } else if (type === A.OVS_DP_ATTR_STATS && length >= 32) {
      stats = {
        hit: counterAt(view, start),
        missed: counterAt(view, start + 8),
        lost: counterAt(view, start + 16),
        flows: counterAt(view, start + 24),
      };
    } else if (type === A.OVS_DP_ATTR_MEGAFLOW_STATS && length >= 24) {
      megaflow = {
        maskHit: counterAt(view, start),
        masks: view.getUint32(start + 8, true),
        cacheHit: counterAt(view, start + 16),
      };
    }
  }
  const on = FEATURES.filter(({ bit }) => (userFeatures & bit) !== 0);
  return {
    name,
    index: message.datapath,
    userFeatures,
    features: on.map(({ word }) => word),
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
