// What the fields of a filter require, and their values in the language of a datapath.

/** What a flow must match before a field has a meaning (`mf_are_prereqs_ok`). */
export const PREREQUISITES: readonly (readonly [
  fields: RegExp,
  types: readonly number[],
  protocols: readonly number[],
])[] = [
  [/^nw_(src|dst)$/, [0x0800, 0x0806, 0x8035], []],
  [/^(nw_|ip_frag|ip_dscp)/, [0x0800, 0x86dd], []],
  [/^ipv6_/, [0x86dd], []],
  [/^arp_/, [0x0806, 0x8035], []],
  [/^mpls_/, [0x8847, 0x8848], []],
  [/^tp_/, [0x0800, 0x86dd], [6, 17, 132]],
  [/^tcp_/, [0x0800, 0x86dd], [6]],
  [/^udp_/, [0x0800, 0x86dd], [17]],
  [/^sctp_/, [0x0800, 0x86dd], [132]],
  [/^icmp_/, [0x0800], [1]],
  [/^(icmpv6|nd)_/, [0x86dd], [58]],
  [/^nsh_/, [0x894f], []],
];

/** OFPP_LOCAL, the only reserved OpenFlow port from which a packet can come. */
const LOCAL = "65534";

/**
 * Converts a `vlan_tci` (3 bits of priority, 1 for the presence of a tag, 12 of VLAN) to the fields
 * of vlan().
 */
function tag(value: string, hasPriority: boolean): string {
  const tci = Number(value);
  if (!/^(0x[\da-f]+|\d+)$/i.test(value) || tci > 0xffff) return value;
  const priority = hasPriority ? `,pcp=${tci >> 13}` : "";
  return `vid=${tci & 0xfff},cfi=${(tci >> 12) & 1}${priority}`;
}

/** Converts values of fields to the datapath's language where the two differ. */
export const VALUES: Readonly<Record<string, (value: string) => string>> = {
  in_port: (value) => (/^local$/i.test(value) ? LOCAL : value),
  // A VLAN of OpenFlow 1.0, where 0xffff means no tag.
  dl_vlan: (value) => (Number(value) === 0xffff ? "0,cfi=0,pcp=0" : value),
  vlan_tci: (value) => tag(value, true),
  vlan_vid: (value) => tag(value, false),
  ip_dscp: (value) => (/^\d+$/.test(value) ? String(Number(value) << 2) : value),
  tun_flags: (value) => (value === "1" ? "oam" : value),
};
