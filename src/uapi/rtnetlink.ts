/** Constants of linux/rtnetlink.h, linux/if_link.h and linux/if.h, with the kernel's own names. */

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;

export const IFLA_IFNAME = 3;
export const IFLA_STATS64 = 23;
export const IFLA_NET_NS_FD = 28;

export const IFF_UP = 0x1;
