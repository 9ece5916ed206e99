/**
 * A line of a dump without that in which millrace differs from `ovs-dpctl dump-flows` on purpose:
 * - what ovs-dpctl leaves out and the kernel wants back, or prints and nobody reads;
 * - what it prints with a loss: percentages, leading zeros of bytes.
 */
export function comparable(line: string): string {
  let text = line;
  for (const [pattern, instead] of DIFFERENCES) text = text.replaceAll(pattern, instead);
  return text
    .replaceAll(/tunnel\((?:[^()]|\([^()]*\))*\)/g, tunnelAlike)
    .replaceAll(/sample=([\d.]+)%/g, (_, percent) => `sample=${Number(percent).toFixed(1)}%`);
}

const DIFFERENCES: readonly (readonly [RegExp, string])[] = [
  // The comma behind an empty eth() is lost.
  [/eth\(\)(?=\w)/g, "eth(),"],
  // No type at all, or any: the kernel refuses it as a key.
  [/,eth_type\(0\/0x0000\)/g, ""],
  [/eth_type\(0x[0-9a-f]{4}\/0x0000\),?/g, ""],
  // It prints wildcarded labels as matched ones.
  [/mpls\((?:(?:label|tc|ttl|bos)=0(?:\/(?:0x)?0)?,?)+\),?/g, ""],
  // Wildcarded headers that the kernel wants.
  [/(?:ipv4|ipv6|arp|mpls|nsh|tcp|udp|sctp|icmp|icmpv6|nd)\(\),?/g, ""],
  [/tcp_flags\(0\/0\),?/g, ""],
  // A comma that is left over.
  [/,(?=\)|, packets)/g, ""],
  [/md2=0x0+/g, "md2=0x"],
  [/cookie=0x0+/g, "cookie=0x"],
];

/** Fields of a tunnel that the kernel wants, or that are matched as zero. */
function tunnelAlike(tunnel: string): string {
  return tunnel
    .replaceAll(/\b(?:ttl=0\/0|tun_id=0x[0-9a-f]+\/0|flags\(0\/0\)),?/g, "")
    .replaceAll(
      /\b(?:src|dst|tos|tp_src|tp_dst|ipv6_src|ipv6_dst)=(?:0\.0\.0\.0|0x0|0|::)(?:\/[^,)]*)?(?:,|(?=\)))/g,
      "",
    )
    .replaceAll(/(idx=0x[0-9a-f]+)\/0xffffffff/g, "$1")
    .replaceAll(/(dir=\d)\/0x1\b/g, "$1")
    .replaceAll(/(hwid=0x[0-9a-f])\/0xf\b/g, "$1")
    .replaceAll(/,?\blen=\d+\/0\b/g, "")
    .replace(/,\)$/, ")");
}

/**
 * What ovs-dpctl (3.1, of Debian 12) cannot say of a flow, or says of another: as a witness of these it
 * is of no use. They are held against the kernel's own bytes elsewhere.
 */
const UNSAID: readonly RegExp[] = [
  // In a tag: no type at all.
  /encap\((?:eth_type\(0\/0xffff\))?\)/,
  /mpls\(\)|mpls\(.*\/0[,)]/,
  /nsh\(\)|nsh\(mdtype=1\/0/,
  // Of a tunnel: no id, what is matched as zero, a destination of which nothing is left.
  /flags\(-key\)|src=0\.0\.0\.0,tp_src=0|dst=0\.0\.0\.2\/255/,
  /userspace\(.*(?:no_userdata|exact_userdata\()/,
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
