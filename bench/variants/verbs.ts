import type { Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { DATAPATH, few, scripted } from "./programs.ts";

/** The cost of adding, changing, deleting and dumping. */
export function verbs(size: Size, files: Files, peers: Peers): Variant[] {
  const { peerFlows: flows, dpctlFlows } = size;
  const what = { part: "verbs", id: "verbs", name: "millrace, verbs", flows } as const;
  const found = [scripted(what, "bench/lab/verbs.ts", files.verbs(flows))];
  if (!peers.dpctl) return found;
  found.push({
    part: "verbs",
    id: "dpctl-delete",
    name: "ovs-dpctl del-flows, flow by flow",
    program: "ovs-dpctl",
    command: ["sh", "-c", DPCTL_DELETE, DATAPATH, files.text(dpctlFlows), files.keys(dpctlFlows)],
    warmUp: ["ovs-dpctl", "add-flows", DATAPATH, files.text(few(dpctlFlows))],
    flows: dpctlFlows,
    leaves: 0,
    reports: true,
    rounds: 1,
  });
  return found;
}

/** ovs-dpctl deletes by key, and only flows that were put by key, so it adds them itself first. */
const DPCTL_DELETE = `ovs-dpctl add-flows "$0" "$1" && before=$(date +%s%N) &&
ovs-dpctl del-flows "$0" "$2" &&
echo "{\\"seconds\\": $((($(date +%s%N) - before) / 1000)).0e-6}"`;
