import type { FlowFilter } from "./flow/filter/filter.ts";
import type { NetlinkKernel } from "./netlink/kernel.ts";
import type { DumpDoubt } from "./ovs/dump-check.ts";
import { type NamespaceReference, NetworkNamespace } from "./sys/netns.ts";

/** Where a datapath is. */
export type NamespaceOption = {
  /** A network namespace by name, by path or by the id of a process in it; the thread's own by default. */
  readonly namespace?: NamespaceReference;
  /** The kernel that it is in: the machine's by default, or one in memory (`millrace/testing`), for tests. */
  readonly kernel?: NetlinkKernel;
};

/** Whose flows a datapath is asked about. */
export type OwnerOption = {
  /**
   * Whose flows are put and looked for: a name that goes into their UFIDs, so that two sets in one datapath are
   * told apart. Nobody's by default.
   */
  readonly owner?: string;
};

/** How a datapath is opened. */
export type OpenOptions = NamespaceOption & OwnerOption;

/** What `Datapath.flows` gives. */
export type FlowsOptions = {
  /** Only the flows that this filter means; in text it may name the datapath's ports. */
  readonly where?: string | FlowFilter;
  /** Is told, after the last flow, that some may be missing because flows changed meanwhile, instead of an error. */
  readonly onDoubt?: (doubt: DumpDoubt) => void;
};

/** The namespace that is meant, open; undefined for the thread's own. */
export function namespaceOf({ namespace }: NamespaceOption): NetworkNamespace | undefined {
  return namespace === undefined ? undefined : NetworkNamespace.open(namespace);
}
