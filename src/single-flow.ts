import { Flow, notOneFlow } from "./flow/flow.ts";
import { type FlowIdentity, identitiesOf } from "./flow/identity.ts";
import { FlowLineEncoder } from "./flow/line.ts";
import type { KernelFeatures } from "./flow/rules/features.ts";
import { TextSink } from "./flow/text/sink.ts";
import { printUuid } from "./flow/text/uuid.ts";
import { explainRejection } from "./load/explain.ts";
import { fullOfMasks } from "./load/mask-limit.ts";
import { OverlapSearch } from "./load/overlap.ts";
import { rejectionError } from "./load/rejection.ts";
import { replaceHeld } from "./load/replace.ts";
import type { LoadTarget } from "./load/sender.ts";
import { NetlinkError } from "./netlink/errors.ts";
import { featuresOf } from "./ovs/features.ts";
import { dumpFlows, TERSE } from "./ovs/flow.ts";
import { type FlowView, identityOf } from "./ovs/flow-view.ts";
import { type FlowVerb, sendFlow } from "./ovs/flow-message.ts";
import { portNames } from "./ovs/vport.ts";
import { ENOENT } from "./sys/errno.ts";
import { OVS_FLOW_ATTR_CLEAR } from "./uapi/openvswitch.ts";

/**
 * What names a flow: `ufid:UUID`, its key, its line; or something that was read of it, a `Flow` or
 * {@link FlowCounters}.
 */
export type FlowName = string | { readonly identity: FlowIdentity };

/** What a terse dump tells of a flow. */
export type FlowCounters = {
  /** As a UUID; undefined for a flow that is identified by its key. */
  readonly ufid: string | undefined;
  readonly identity: FlowIdentity;
  readonly packets: number;
  readonly byteCount: number;
  /** Monotonic milliseconds at the last packet; 0: never. */
  readonly usedMs: number;
  /** TCP flags that it has seen. */
  readonly tcpFlags: number;
};

/** @throws FlowSyntaxError */
export function identitiesOfName(target: LoadTarget, flow: FlowName): readonly FlowIdentity[] {
  if (typeof flow !== "string") return [flow.identity];
  return identitiesOf(flow, portNames(target.channel, target.datapath));
}

/** Counters of every flow, without keys and actions. */
export function* countersOfAll({ channel, datapath }: LoadTarget): Generator<FlowCounters, void> {
  for (const view of dumpFlows(channel, datapath, TERSE)) yield countersOf(view);
}

function countersOf(view: FlowView): FlowCounters {
  const { packets, byteCount, usedMs, tcpFlags } = view;
  return { ufid: ufidOf(view), identity: identityOf(view), packets, byteCount, usedMs, tcpFlags };
}

function ufidOf({ bytes, ufid }: FlowView): string | undefined {
  if (ufid.start < 0) return undefined;
  const out = new TextSink(64);
  printUuid(out, bytes, ufid.start);
  return out.toString();
}

/**
 * Sends one flow, and waits for what the kernel says.
 * @param clear its counters begin at zero again; with `modify`
 * @throws FlowSyntaxError; NotSupportedError for what another kernel takes; FlowRejectedError
 */
export function sendOne(
  target: LoadTarget,
  flow: string | Flow,
  verb: FlowVerb,
  clear = false,
): void {
  const { channel, datapath } = target;
  const text = flow.toString();
  const line = new TextEncoder().encode(text);
  const ports = portNames(channel, datapath);
  const encoder = new FlowLineEncoder({ ufid: true, mode: verb, ports });
  try {
    sendFlow(channel, datapath, verb, (writer) => {
      const taken = encoder.encode(line, 0, line.length, 1, writer);
      if (!taken || encoder.verb !== verb) throw notOneFlow(text);
      if (clear) writer.flag(OVS_FLOW_ATTR_CLEAR);
    });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    const { parts } = Flow.parse(text, ports);
    const isHeld = verb === "put" && error.errno === ENOENT;
    if (isHeld && replaceHeld(channel, datapath, parts)) return;
    const features = (): KernelFeatures => featuresOf(channel, datapath);
    const { errno } = error;
    const masks = (): number | undefined => fullOfMasks(channel, datapath);
    const why = explainRejection(verb, errno, parts, features, masks);
    const { reason, lacking } = new OverlapSearch(target).nameIn(why, verb, errno, parts);
    throw rejectionError({ errno, reason, text, lacking, cause: error });
  }
}
