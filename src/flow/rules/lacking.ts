import { ACTIONS } from "../action/table.ts";
import { OVS_KEY_ATTR_IPV6_EXTHDRS } from "../../uapi/openvswitch.ts";
import type { KernelFeatures } from "./features.ts";

/** Something that other kernels have: what it is called, and the first mainline Linux with it. */
export type Lacking = { readonly feature: string; readonly since: string };

type Flag = Exclude<keyof KernelFeatures, "keyMax" | "actionMax" | "ctHelpers">;

const built = (feature: string, since: string, option: string): Lacking => ({
  feature,
  since: `${since} with ${option}`,
});

/** What each flag of {@link KernelFeatures} stands for. */
export const FEATURE: Readonly<Record<Flag, Lacking>> = {
  ct: built("connection tracking", "4.3", "NF_CONNTRACK"),
  ctZones: built("conntrack zones", "4.3", "NF_CONNTRACK_ZONES"),
  ctMark: built("conntrack marks", "4.3", "NF_CONNTRACK_MARK"),
  ctLabels: built("conntrack labels", "4.3", "NF_CONNTRACK_LABELS"),
  ctTimeout: built("conntrack timeout policies", "5.2", "NF_CONNTRACK_TIMEOUT"),
  nat: built("NAT", "4.6", "NF_NAT"),
  hashSymL4: { feature: "hash(sym_l4())", since: "6.6" },
  psample: built("action psample", "6.11", "PSAMPLE"),
};

/** IPV6_EXTHDRS, which `key32()` stands for. */
export const EXTHDRS: Lacking = { feature: "IPv6 extension headers in keys", since: "5.18" };

/** An action that came with a later kernel. */
export function lackingAction(name: string, since: string): Lacking {
  return { feature: `action ${name}`, since };
}

/** What a kernel lacks of all that the flow language can say. */
export function lackingOf(features: KernelFeatures): readonly Lacking[] {
  const found = ACTIONS.filter(({ type }) => type > features.actionMax).map(({ name, since }) =>
    lackingAction(name, since),
  );
  if (features.keyMax < OVS_KEY_ATTR_IPV6_EXTHDRS) found.push(EXTHDRS);
  const flags: readonly Flag[] = [
    "ct",
    "ctZones",
    "ctMark",
    "ctLabels",
    "ctTimeout",
    "nat",
    "hashSymL4",
  ];
  for (const flag of flags) if (!features[flag]) found.push(FEATURE[flag]);
  return found;
}
