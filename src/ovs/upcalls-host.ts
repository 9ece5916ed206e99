import { readFileSync } from "node:fs";

// What the host reports about receivers of upcalls: its CPUs, and the open netlink sockets.

const POSSIBLE = "/sys/devices/system/cpu/possible";
const NETLINK_SOCKETS = "/proc/thread-self/net/netlink";
const NETLINK_GENERIC = "16";

/**
 * The number of CPUs that the kernel may ever have: it needs as many sockets
 * (ovs_dp_get_upcall_portid).
 */
export function possibleCpus(): number {
  try {
    // "0", or "0-7", or ranges with commas between them: the last number is the highest.
    const highest = /(\d+)\s*$/.exec(readFileSync(POSSIBLE, "utf8"))?.[1];
    if (highest !== undefined) return Number(highest) + 1;
  } catch {
    // Some containers have no sysfs: use the visible CPUs.
  }
  return navigator.hardwareConcurrency;
}

/** Port ids of the generic netlink sockets that are open in the thread's network namespace. */
export function portIdsInUse(): Set<number> {
  const used = new Set<number>();
  // sk  Eth  Pid  Groups …
  for (const line of readFileSync(NETLINK_SOCKETS, "utf8").split("\n").slice(1)) {
    const [, protocol, portId] = line.trim().split(/\s+/);
    if (protocol === NETLINK_GENERIC && portId !== undefined) used.add(Number(portId));
  }
  return used;
}
