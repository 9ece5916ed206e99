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

/** No packet has it: recirculation ids are given out from 1 up, and ports are below 65,535. */
const UNMATCHABLE_KEY = "recirc_id(0xffffffff),in_port(65534)";
const IPV4 = `${UNMATCHABLE_KEY},eth(),eth_type(0x0800),ipv4(frag=no)`;
/** What a helper can be for: an IPv4 protocol, and the headers that it asks for. */
const IPV4_OF = `${UNMATCHABLE_KEY},eth(),eth_type(0x0800),ipv4(frag=no,proto=`;
const TRANSPORTS: readonly string[] = ["6),tcp(),tcp_flags(0/0)", "17),udp()"];

/** These say nothing of the flow. */
const NO_VERDICT: ReadonlySet<number> = new Set([EACCES, ENODEV, ENOMEM, EPERM]);
/** The probe met another flow, after everything in it had been found good. */
const COLLIDED: ReadonlySet<number> = new Set([EEXIST, ENOENT]);

/** Options of {@link probeFeatures}. */
export type ProbeOptions = {
  /** Conntrack helpers to look for. The kernel loads the module of one that it has. Default: none. */
  readonly helpers?: readonly string[];
};

/**
 * Finds out what the running kernel can do: a flow each that no packet meets is installed with
 * OVS_FLOW_ATTR_PROBE, which keeps the kernel's log silent, looked at, and deleted. Distributions add
 * features to old kernels, so the version says nothing. About fifteen requests.
 * @throws NetlinkError where the datapath is gone; MillraceError `NO_PERMISSION`
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

/** A row of a table: its type, and what every kernel takes that has it. */
type Probed = { readonly type: number; readonly probe?: string | undefined };

/** The greatest type that a kernel has: of those with a probe the greatest that passes, or all before them. */
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

/** As {@link probeFeatures}, once for each channel; everything where the kernel cannot be asked. */
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

/** Whether the kernel takes a flow. It is gone afterwards. */
function takesFlow(datapath: DatapathHandle, line: string): boolean {
  const bytes = new TextEncoder().encode(line);
  const encoder = new FlowLineEncoder({ ufid: true, mode: "add" });
  try {
    sendFlow(datapath, "add", (writer) => {
      encoder.encode(bytes, 0, bytes.length, 1, writer);
      writer.flag(OVS_FLOW_ATTR_PROBE);
    });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (COLLIDED.has(error.errno)) return true;
    if (NO_VERDICT.has(error.errno)) throw error;
    return false;
  }
  for (const identity of identitiesOf(line).slice(0, 1)) deleteFlow(datapath, identity);
  return true;
}
