/** Alignment of netlink messages and attributes (`NLMSG_ALIGNTO`, `NLA_ALIGNTO` in linux/netlink.h). */
export const ALIGN_TO = 4;

/** Rounds a length up to the next multiple of four (`NLMSG_ALIGN`, `NLA_ALIGN`). */
export function align(length: number): number {
  return (length + 3) & ~3;
}
