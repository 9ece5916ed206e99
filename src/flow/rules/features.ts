import { OVS_ACTION_ATTR_PSAMPLE, OVS_KEY_ATTR_IPV6_EXTHDRS } from "../../uapi/openvswitch.ts";

/** What a kernel can do, as far as the rules depend on it. Probes find out; versions do not tell. */
export type KernelFeatures = {
  /** The largest `OVS_KEY_ATTR_*` that it knows: 31 before IPV6_EXTHDRS. */
  readonly keyMax: number;
  /** The largest `OVS_ACTION_ATTR_*` that it knows: 23 before drop, 24 before psample. */
  readonly actionMax: number;
  /** Built with connection tracking (CONFIG_NF_CONNTRACK). */
  readonly ct: boolean;
  /** CONFIG_NF_CONNTRACK_ZONES, _MARK, _LABELS, _TIMEOUT; CONFIG_NF_NAT. */
  readonly ctZones: boolean;
  readonly ctMark: boolean;
  readonly ctLabels: boolean;
  readonly ctTimeout: boolean;
  readonly nat: boolean;
  /**
   * The conntrack helpers that it has, with their protocol: `ftp/6`. Undefined where nobody looked, and
   * then any name will do.
   */
  readonly ctHelpers: ReadonlySet<string> | undefined;
  /** hash(sym_l4()). */
  readonly hashSymL4: boolean;
  /** Built with the psample module (CONFIG_PSAMPLE). */
  readonly psample: boolean;
};

/** A kernel that can do everything that the tables know. */
export const ALL_FEATURES: KernelFeatures = {
  keyMax: OVS_KEY_ATTR_IPV6_EXTHDRS,
  actionMax: OVS_ACTION_ATTR_PSAMPLE,
  ct: true,
  ctZones: true,
  ctMark: true,
  ctLabels: true,
  ctTimeout: true,
  nat: true,
  ctHelpers: undefined,
  hashSymL4: true,
  psample: true,
};
