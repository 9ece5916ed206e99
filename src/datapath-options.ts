import type { FlowFilter } from "./flow/filter/filter.ts";
import type { NetlinkKernel } from "./netlink/kernel.ts";
import type { DumpDoubt } from "./ovs/dump-check.ts";
import { type NamespaceReference, NetworkNamespace } from "./sys/netns.ts";

/** The place of a datapath. */
export type NamespaceOption = {
  /**
   * A network namespace, by name, by path or by the id of a process in it; the thread's by default.
   */
  readonly namespace?: NamespaceReference;
  /** Its kernel: the machine's by default, or one in memory (`millrace/testing`), for tests. */
  readonly kernel?: NetlinkKernel;
};

/** The owner of flows. */
export type OwnerOption = {
  /**
   * The owner of the flows that are put and looked for: a name that is part of their UFIDs, so that
   * two sets in one datapath can be distinguished. None by default.
   */
  readonly owner?: string;
};

/** How a datapath is opened. */
export type OpenOptions = NamespaceOption & OwnerOption;

/** What `Datapath.flows` yields. */
export type FlowsOptions = {
  /** Yields only flows that pass this filter; as text it may name the datapath's ports. */
  readonly where?: string | FlowFilter;
  /**
   * Called after the last flow, instead of an error, if some may be missing because flows changed
   * meanwhile.
   */
  readonly onDoubt?: (doubt: DumpDoubt) => void;
};

/** Opens the namespace; undefined for the thread's own. */
export function namespaceOf({ namespace }: NamespaceOption): NetworkNamespace | undefined {
  return namespace === undefined ? undefined : NetworkNamespace.open(namespace);
}
