/** Rounds a length up to the next multiple of four (`NLMSG_ALIGN`, `NLA_ALIGN` in linux/netlink.h). */
export function align(length: number): number {
  return (length + 3) & ~3;
}
