import {
  createDatapath,
  type DatapathInfo,
  deleteDatapath,
  getDatapath,
  handleOf,
  setDatapath,
} from "../../ovs/datapath.ts";
import { listPorts, type PortInfo } from "../../ovs/vport.ts";
import { Links, type LinkStats } from "../../netlink/link.ts";
import { EINVAL, ENODEV, ERANGE } from "../../sys/errno.ts";
import { addInterfaces } from "./ports.ts";
import { kernelDatapathName, type DpctlSession, NONE, SYSTEM } from "./session.ts";
import { shownType, typeOf } from "./port-types.ts";

/** The only cache of the kernel's datapath (`dpif_netlink_cache_get_name`). */
const MASKS_CACHE = "masks-cache";

/** The largest power of two that the attribute can hold; the kernel's limit is lower. */
const SIZE_MAX = 2 ** 31;

/** `add-dp DP [IFACE...]` */
export function addDp(session: DpctlSession, args: readonly string[]): number {
  const [arg = "", ...interfaces] = args;
  try {
    createDatapath(session.channel, kernelDatapathName(arg));
  } catch (error) {
    return session.complainOf("add_dp", error);
  }
  const status = interfaces.length === 0 ? 0 : addInterfaces(session, args);
  // A failed command leaves nothing behind, including ports that were added.
  if (status !== 0) deleteDatapath(session.channel, kernelDatapathName(arg));
  return status;
}

/** `del-dp DP` */
export function delDp(session: DpctlSession, args: readonly string[]): number {
  const { name } = session.open(args[0] ?? "");
  try {
    deleteDatapath(session.channel, name);
    return 0;
  } catch (error) {
    return session.complainOf("del_dp", error);
  }
}

/** `dump-dps` */
export function dumpDps(session: DpctlSession): number {
  for (const { name } of session.list()) session.out(`${SYSTEM}@${name}\n`);
  return session.complainOfNoModule();
}

/** `show [DP...]` */
export function show(session: DpctlSession, args: readonly string[]): number {
  if (args.length === 0) {
    const datapaths = session.list();
    for (const datapath of datapaths) showOne(session, datapath);
    const status = session.complainOfNoModule();
    // ovs-dpctl prints nothing here.
    if (status === 0 && datapaths.length === 0) session.warn(NONE);
    return status;
  }
  let status = 0;
  for (const arg of args) {
    try {
      showOne(session, session.find(arg));
    } catch (error) {
      status = session.complainOf(`opening datapath ${arg} failed`, error);
    }
  }
  return status;
}

function showOne(session: DpctlSession, datapath: DatapathInfo): void {
  const { name, stats, megaflow } = datapath;
  const packets = stats.hit + stats.missed;
  const perPacket = packets === 0 ? 0 : megaflow.maskHit / packets;
  session.out(
    `${SYSTEM}@${name}:\n` +
      `  lookups: hit:${stats.hit} missed:${stats.missed} lost:${stats.lost}\n` +
      `  flows: ${stats.flows}\n` +
      `  masks: hit:${megaflow.maskHit} total:${megaflow.masks} hit/pkt:${perPacket.toFixed(2)}\n`,
  );
  // A kernel without the cache reports 0 look-ups; then ovs-dpctl leaves the line out.
  if (megaflow.cacheHit > 0) {
    const rate = packets === 0 ? 0 : (megaflow.cacheHit / packets) * 100;
    session.out(`  cache: hit:${megaflow.cacheHit} hit-rate:${rate.toFixed(2)}%\n`);
  }
  showCaches(session, datapath);
  using links = session.options.statistics ? new Links() : undefined;
  for (const port of listPorts(handleOf(session.channel, datapath))) {
    session.out(`  port ${port.number}: ${port.name}${shownType(port)}\n`);
    if (links !== undefined) session.out(shownStatistics(port, links.find(port.name)?.stats));
  }
}

function showCaches(session: DpctlSession, { masksCacheSize }: DatapathInfo): void {
  if (masksCacheSize === undefined) return;
  session.out(`  caches:\n    ${MASKS_CACHE}: size:${masksCacheSize}\n`);
}

/** As `show_dpif` in lib/dpctl.c; `?` stands for missing counters: a tunnel has only a vport's. */
function shownStatistics(port: PortInfo, link: LinkStats | undefined): string {
  const type = typeOf(port);
  const own = type === "system" || type === "internal" ? link : undefined;
  const { stats } = port;
  const shown = own ?? stats;
  const counted = (value: number | undefined): string => value?.toString() ?? "?";
  const known = own === undefined ? undefined : shown;
  return (
    `    RX packets:${shown.rxPackets} errors:${counted(known?.rxErrors)} dropped:${counted(known?.rxDropped)}` +
    ` overruns:${counted(own?.rxOverErrors)} frame:${counted(own?.rxFrameErrors)}\n` +
    `    TX packets:${shown.txPackets} errors:${counted(known?.txErrors)} dropped:${counted(known?.txDropped)}` +
    ` aborted:${counted(own?.txAbortedErrors)} carrier:${counted(own?.txCarrierErrors)}\n` +
    `    collisions:${counted(own?.collisions)}\n` +
    `    RX bytes:${shown.rxBytes}${humanSize(shown.rxBytes)}` +
    `  TX bytes:${shown.txBytes}${humanSize(shown.txBytes)}\n`
  );
}

function humanSize(value: number): string {
  for (const [unit, size] of [
    ["TiB", 1024 ** 4],
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (value >= size) return ` (${(value / size).toFixed(1)} ${unit})`;
  }
  return "";
}

/** `cache-get-size [DP]` */
export function cacheGetSize(session: DpctlSession, args: readonly string[]): number {
  const [arg] = args;
  const datapaths =
    arg === undefined ? session.list() : [session.lookUp(arg, `Opening datapath ${arg} failed`)];
  for (const datapath of datapaths) {
    session.out(`${SYSTEM}@${datapath.name}:\n`);
    showCaches(session, datapath);
  }
  return 0;
}

/** `cache-set-size DP CACHE SIZE` */
export function cacheSetSize(session: DpctlSession, args: readonly string[]): number {
  const [arg = "", cache, text = ""] = args;
  // As ovs_scan reads %u: leading digits count.
  const digits = /^\s*\+?(\d+)/.exec(text)?.[1];
  if (digits === undefined) return session.complain("size is malformed", EINVAL);
  const datapath = session.lookUp(arg, `Opening datapath ${arg} failed`);
  if (datapath.masksCacheSize === undefined) {
    return session.complain("Setting caches not supported", ENODEV);
  }
  if (cache !== MASKS_CACHE) {
    return session.complain(`Cache name "${cache}" not found on dpif`, EINVAL);
  }
  const wanted = Number(digits);
  if (wanted > SIZE_MAX) return session.complain("Setting cache size failed", ERANGE);
  // Rounded up to a power of two, as dpif_netlink_cache_set_size does.
  const size = wanted === 0 ? 0 : 2 ** Math.ceil(Math.log2(wanted));
  try {
    setDatapath(session.channel, datapath.name, {
      masksCacheSize: size,
    });
  } catch (error) {
    return session.complainOf("Setting cache size failed", error);
  }
  const { masksCacheSize } = getDatapath(session.channel, datapath.name);
  session.out(`Setting cache size successful, new size ${masksCacheSize}\n`);
  return 0;
}
