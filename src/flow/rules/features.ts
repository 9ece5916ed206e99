import { NEWEST_ACTION } from "../action/table.ts";
import { askEach, type FeatureFlag } from "../feature.ts";
import { NEWEST_KEY } from "../key/table.ts";

/** The abilities of a kernel on which rules depend. They are probed, not derived from a version. */
export type KernelFeatures = Readonly<Record<FeatureFlag, boolean>> & {
  /** The largest `OVS_KEY_ATTR_*` that it knows: 31 before IPV6_EXTHDRS. */
  readonly keyMax: number;
  /** The largest `OVS_ACTION_ATTR_*` that it knows: 23 before drop, 24 before psample. */
  readonly actionMax: number;
  /**
   * The conntrack helpers that it has, with their protocol: `ftp/6`. Undefined if nobody looked;
   * then any name is accepted.
   */
  readonly ctHelpers: ReadonlySet<string> | undefined;
};

/** A kernel that can do everything that the tables know. */
export const ALL_FEATURES: KernelFeatures = {
  keyMax: NEWEST_KEY,
  actionMax: NEWEST_ACTION,
  ...askEach(() => true),
  ctHelpers: undefined,
};
