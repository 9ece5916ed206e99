import { ACTIONS } from "../flow/action/table.ts";
import { askEach, FEATURE } from "../flow/feature.ts";
import { kernelKeys } from "../flow/key/table.ts";
import { ALL_FEATURES, type KernelFeatures } from "../flow/rules/features.ts";
import { identitiesOf } from "../flow/identity.ts";
import { FlowLineEncoder } from "../flow/line.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { EACCES, EEXIST, ENODEV, ENOENT, ENOMEM, EPERM } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import { OVS_FLOW_ATTR_PROBE } from "../uapi/openvswitch.ts";
import type { DatapathHandle } from "./datapath.ts";
import { deleteFlow } from "./flow.ts";
import { sendFlow } from "./flow-requests.ts";

/** No packet has this key: recirculation ids are assigned from 1 up, and ports are below 65,535. */
const UNMATCHABLE_KEY = "recirc_id(0xffffffff),in_port(65534)";
const IPV4 = `${UNMATCHABLE_KEY},eth(),eth_type(0x0800),ipv4(frag=no)`;
/** The key for probing a helper: an IPv4 protocol and the headers that it requires. */
const IPV4_OF = `${UNMATCHABLE_KEY},eth(),eth_type(0x0800),ipv4(frag=no,proto=`;
const TRANSPORTS: readonly string[] = ["6),tcp(),tcp_flags(0/0)", "17),udp()"];

/** Errnos that say nothing about the flow. */
const NO_VERDICT: ReadonlySet<number> = new Set([EACCES, ENODEV, ENOMEM, EPERM]);
/** Errnos of a probe that met another flow, after the kernel had accepted everything in it. */
const COLLIDED: ReadonlySet<number> = new Set([EEXIST, ENOENT]);

/** Options of {@link probeFeatures}. */
export type ProbeOptions = {
  /**
   * Conntrack helpers to look for; none by default. The kernel loads the module of a helper that it
   * has.
   */
  readonly helpers?: readonly string[];
};

/**
 * Finds out what the running kernel can do. For each feature, it installs a flow that no packet
 * matches, with OVS_FLOW_ATTR_PROBE, which keeps the kernel's log silent, and deletes it. The
 * version says nothing, since distributions add features to old kernels. Takes about fifteen
 * requests.
 * @throws NetlinkError if the datapath is gone; MillraceError `NO_PERMISSION`
 */
export function probeFeatures(
  datapath: DatapathHandle,
  options: ProbeOptions = {},
): KernelFeatures {
  const verdicts = new Map<string, boolean>();
  const takes = (line: string): boolean => {
    const verdict = verdicts.get(line) ?? takesFlow(datapath, line);
    verdicts.set(line, verdict);
    return verdict;
  };
  const acts = (actions: string): boolean => takes(`${IPV4} ${actions}`);
  const helpers = options.helpers?.flatMap((name) =>
    TRANSPORTS.filter((transport) => takes(`${IPV4_OF}${transport} ct(commit,helper=${name})`)).map(
      (transport) => `${name}/${parseInt(transport)}`,
    ),
  );
  return {
    keyMax: newestOf(kernelKeys(), (probe) => takes(`${UNMATCHABLE_KEY},${probe} drop`)),
    actionMax: newestOf(ACTIONS, acts),
    ...askEach((flag) => acts(FEATURE[flag].probe)),
    ctHelpers: helpers === undefined ? undefined : new Set(helpers),
  };
}

/** A row of a table: its type, and a probe that every kernel with this type accepts. */
type Probed = { readonly type: number; readonly probe?: string | undefined };

/**
 * The greatest type that a kernel has: the greatest whose probe passes, or else the type before the
 * first probed one.
 */
function newestOf(rows: readonly Probed[], passes: (probe: string) => boolean): number {
  const newestFirst = rows.toSorted((a, b) => b.type - a.type);
  let newest = newestFirst[0]?.type ?? 0;
  for (const { type, probe } of newestFirst) {
    if (probe === undefined) continue;
    if (passes(probe)) return type;
    newest = type - 1;
  }
  return newest;
}

/** As {@link probeFeatures}, once per channel; all features if the kernel cannot be asked. */
export function featuresOf(datapath: DatapathHandle): KernelFeatures {
  return (datapath.channel.features ??= tryProbe(datapath));
}

function tryProbe(datapath: DatapathHandle): KernelFeatures {
  try {
    return probeFeatures(datapath);
  } catch (error) {
    if (error instanceof MillraceError) return ALL_FEATURES;
    throw error;
  }
}

/** Whether the kernel takes a flow, which is deleted again. */
function takesFlow(datapath: DatapathHandle, line: string): boolean {
  const bytes = new TextEncoder().encode(line);
  const encoder = new FlowLineEncoder({ ufid: true, mode: "add" });
  try {
    sendFlow(datapath, "add", (writer) => {
      encoder.encode(bytes, 0, bytes.length, 1, writer);
      writer.flag(OVS_FLOW_ATTR_PROBE);
    });
  } catch (error) {
    // Its reply was lost: the kernel may have taken it.
    if (!(error instanceof NetlinkError)) {
      deleteProbe(datapath, line);
      throw error;
    }
    if (COLLIDED.has(error.errno)) return true;
    if (NO_VERDICT.has(error.errno)) throw error;
    return false;
  }
  deleteProbe(datapath, line);
  return true;
}

function deleteProbe(datapath: DatapathHandle, line: string): void {
  for (const identity of identitiesOf(line).slice(0, 1)) deleteFlow(datapath, identity);
}
