/**
 * Features that a kernel may lack because of its configuration or age, besides whole keys and
 * actions.
 */
export const FEATURE_FLAGS = [
  "ct",
  "ctZones",
  "ctMark",
  "ctLabels",
  "ctTimeout",
  "nat",
  "hashSymL4",
  "psample",
] as const;

export type FeatureFlag = (typeof FEATURE_FLAGS)[number];

/** One row of FEATURE. */
type Feature = {
  readonly feature: string;
  /** The first Linux with it, and the build option that it requires. */
  readonly since: string;
  /** Actions that every kernel with the feature accepts, for an IPv4 packet. */
  readonly probe: string;
};

/** The feature behind each flag. */
export const FEATURE: Readonly<Record<FeatureFlag, Feature>> = {
  ct: built("connection tracking", "4.3", "NF_CONNTRACK", "ct"),
  ctZones: built("conntrack zones", "4.3", "NF_CONNTRACK_ZONES", "ct(zone=1)"),
  ctMark: built("conntrack marks", "4.3", "NF_CONNTRACK_MARK", "ct(commit,mark=1)"),
  ctLabels: built("conntrack labels", "4.3", "NF_CONNTRACK_LABELS", "ct(commit,label=1)"),
  ctTimeout: built(
    "conntrack timeout policies",
    "5.2",
    "NF_CONNTRACK_TIMEOUT",
    "ct(timeout=millrace-probe)",
  ),
  nat: built("NAT", "4.6", "NF_NAT", "ct(nat)"),
  hashSymL4: { feature: "hash(sym_l4())", since: "6.6", probe: "hash(sym_l4(0))" },
  // A kernel without the module refuses the action, so an old kernel and a missing module look the
  // same.
  psample: built("action psample", "6.11", "PSAMPLE", "psample(group=1)"),
};

function built(feature: string, since: string, option: string, probe: string): Feature {
  return { feature, since: `${since} with ${option}`, probe };
}

/** Asks `has` for each feature. */
export function askEach(has: (flag: FeatureFlag) => boolean): Record<FeatureFlag, boolean> {
  return {
    ct: has("ct"),
    ctZones: has("ctZones"),
    ctMark: has("ctMark"),
    ctLabels: has("ctLabels"),
    ctTimeout: has("ctTimeout"),
    nat: has("nat"),
    hashSymL4: has("hashSymL4"),
    psample: has("psample"),
  };
}
