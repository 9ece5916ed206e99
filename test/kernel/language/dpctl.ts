/**
 * Flows that ovs-dpctl (3.1, of Debian 12) cannot print, or prints like another flow, so that it
 * cannot serve as a witness. They are compared with the kernel's bytes elsewhere.
 */
const UNSAID: readonly RegExp[] = [
  // In a tag: no type at all.
  /encap\((?:eth_type\(0\/0xffff\))?\)/,
  /mpls\(\)|mpls\(.*\/0[,)]/,
  /nsh\(\)|nsh\(mdtype=1\/0/,
  // Of a tunnel: no id, what is matched as zero, a destination of which nothing is left.
  /flags\([^)]*-key\)|flags\(0\/15\)|src=0\.0\.0\.0,tp_src=0|dst=0\.0\.0\.2\/255/,
  /userspace\(.*(?:no_userdata|exact_userdata\(|ofp_in_port=|ofproto_uuid=)/,
  // Of a mask of some bits of frag it prints that there is one.
  /frag=\w+\/0x/,
  // Bits of ERSPAN that it has no words for.
  /erspan\(.*(?:hwid_upper|timestamp|rest)=|erspan\(ver=3/,
  // Digits of percentages, leading zeros.
  /sample=(?:0\.00000002|12\.34567)%/,
  /md2=0x0|cookie=0x0/,
  /tun_flags=1|eventmask=|nat\(\w+=:\d|\.1:0\)/,
  // It takes what it does not know yet for actions of its userspace datapath.
  /dec_ttl\(|\d,drop|drop\(\d|psample\(|sym_l4/,
];

/** Whether ovs-dpctl's dump can tell a flow from all others. */
export function isSaid(line: string): boolean {
  return !UNSAID.some((pattern) => pattern.test(line));
}

/**
 * Actions that it has no words for: it takes their numbers for those of actions of its userspace datapath, or of
 * none. Newer ones have the words that millrace prints.
 */
const NEWER = /dec_ttl\(|psample\(|,drop|drop\(\d/;

/** Whether ovs-dpctl 3.1 knows all actions of a flow. */
export function isKnown(line: string): boolean {
  return !NEWER.test(line);
}

/** The lines of a dump, by the in_port that each has of its own: ours are in the order in which they load. */
export function byPort(dump: string): readonly string[] {
  const portOf = (line: string): string => /in_port\([^)]*\)/.exec(line)?.[0] ?? line;
  return dump
    .trim()
    .split("\n")
    .toSorted((a, b) => (portOf(a) < portOf(b) ? -1 : 1));
}
