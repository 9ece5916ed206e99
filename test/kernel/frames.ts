// Ethernet frames of every kind that the kernel distinguishes, all between the same two machines.

/** A frame from 02:00:00:00:00:bb to 02:00:00:00:00:aa. */
export type Frame = { readonly name: string; readonly packet: Uint8Array };

const ADDRESSES = "0200000000aa0200000000bb";
const hex = (value: number, bytes: number): string => value.toString(16).padStart(bytes * 2, "0");
const zeros = (bytes: number): string => "00".repeat(bytes);

function frame(name: string, ...rest: readonly string[]): Frame {
  return { name, packet: Uint8Array.fromHex(ADDRESSES + rest.join("")) };
}

/** An IPv4 header; `fragment` is its 16 bits of flags and offset. */
function ipv4(proto: number, payload: string, fragment = 0): string {
  const length = hex(20 + payload.length / 2, 2);
  return `0800 4500 ${length} 0001 ${hex(fragment, 2)} 40 ${hex(proto, 1)} 0000 0a000001 0a000002 ${payload}`.replaceAll(
    " ",
    "",
  );
}

function ipv6(next: number, payload: string, label = 0): string {
  const length = hex(payload.length / 2, 2);
  const addresses = `fd${zeros(14)}01fd${zeros(14)}02`;
  return `86dd600${hex(label, 3).slice(1)}${length}${hex(next, 1)}40${addresses}${payload}`;
}

const TARGET = `fd${zeros(14)}09`;
const NEIGHBOUR = (type: number, code: number, options = ""): string =>
  ipv6(58, `${hex(type, 1)}${hex(code, 1)}${zeros(6)}${TARGET}${options}`);
const SLL = "01010203040506 07".replaceAll(" ", "");
const TLL = "02010203040506 08".replaceAll(" ", "");
const TCP = (flags: number): string =>
  `1234005000000001000000025${hex(flags, 2).slice(1)}ffff00000000`;
const UDP = "0035003500080000";
const SCTP = "0035003600000001deadbeef";
const ECHO = "0800000000010001";
const ARP = (op: number, hardware = "0001"): string =>
  `${hardware}08000604${hex(op, 2)}0200000000bb0a0000010000000000000a000002`;
const LABEL = (label: number, last: boolean): string =>
  hex(((label << 12) | (Number(last) << 8) | 64) >>> 0, 4);
const FRAGMENT = (next: number, offset: number): string =>
  `${hex(next, 1)}00${hex(offset, 2)}00000007`;
/** An extension header of 8 bytes, all padding. */
const OPTIONS = (next: number): string => `${hex(next, 1)}000104${zeros(4)}`;
const STP = `0026424203${zeros(35)}`;

/** Frames no two of which have one key; those of 802.2 are {@link LLC_FRAMES}, of which one is here. */
export const FRAMES: readonly Frame[] = [
  frame("spanning tree", STP),
  frame("an unknown type", "88b5", zeros(46)),
  frame("LLDP", "88cc", "0207040200000000bb"),
  frame("the least type", "0600", zeros(46)),
  frame("ARP request", "0806", ARP(1)),
  frame("ARP reply", "0806", ARP(2)),
  frame("ARP, a long opcode", "0806", ARP(0x101)),
  frame("ARP of another hardware", "0806", ARP(1, "0006")),
  frame("RARP", "8035", ARP(3)),
  frame("TCP", ipv4(6, TCP(0x02))),
  frame("TCP, other flags", ipv4(6, TCP(0x1ff))),
  frame("TCP, cut off", ipv4(6, "12340050")),
  frame("UDP", ipv4(17, UDP)),
  frame("UDP, cut off", ipv4(17, "0035")),
  frame("ICMP", ipv4(1, ECHO)),
  frame("ICMP, cut off", ipv4(1, "08")),
  frame("SCTP", ipv4(132, SCTP)),
  frame("GRE", ipv4(47, "00000800")),
  frame("IPv4, first fragment", ipv4(17, UDP, 0x2000)),
  frame("IPv4, later fragment", ipv4(17, UDP, 0x2001)),
  frame("IPv4, last fragment of TCP", ipv4(6, UDP, 0x0001)),
  frame("IPv4, cut off", "0800", "45000014"),
  frame("IPv4 over SNAP", `0030aaaa03000000`, ipv4(89, "0201002c")),
  frame("TCP over IPv6", ipv6(6, TCP(0x10))),
  frame("UDP over IPv6", ipv6(17, UDP, 0xabcde)),
  frame("SCTP over IPv6", ipv6(132, SCTP)),
  frame("ICMPv6", ipv6(58, "8000000000010001")),
  frame("ICMPv6, cut off", ipv6(58, "80")),
  frame("neighbour solicitation", NEIGHBOUR(135, 0, SLL)),
  frame("neighbour solicitation, code 1", NEIGHBOUR(135, 1, SLL)),
  frame("neighbour solicitation, cut off", ipv6(58, `87000000${zeros(8)}`)),
  frame("neighbour advertisement", NEIGHBOUR(136, 0, TLL)),
  frame("neighbour advertisement, an address twice", NEIGHBOUR(136, 0, TLL + TLL)),
  frame("neighbour advertisement, code 255", NEIGHBOUR(136, 255)),
  frame("hop by hop options", ipv6(0, OPTIONS(17) + UDP)),
  frame("hop by hop and destination options", ipv6(0, OPTIONS(60) + OPTIONS(17) + UDP)),
  frame("extension header, cut off", ipv6(60, "11")),
  frame("IPv6, first fragment", ipv6(44, FRAGMENT(17, 1) + UDP)),
  frame("IPv6, later fragment", ipv6(44, FRAGMENT(17, 0x101) + UDP)),
  frame("IPv6, no next header", ipv6(59, "")),
  frame("IPv6, an unknown protocol", ipv6(103, "00000000")),
  frame("IPv6, cut off", "86dd", `600${hex(0x12345, 3).slice(1)}0008`),
  frame("MPLS", "8847", LABEL(16, true), zeros(20)),
  frame("MPLS, two labels", "8847", LABEL(16, false), LABEL(17, true), zeros(20)),
  frame("MPLS, three labels", "8847", LABEL(16, false), LABEL(17, false), LABEL(18, true)),
  frame("MPLS, four labels", "8847", [19, 20, 21, 22].map((of) => LABEL(of, of === 22)).join("")),
  frame("MPLS multicast", "8848", LABEL(16, true)),
  frame("NSH, context", "894f", "0fc6010300000701", zeros(12), "00000004"),
  frame("NSH, no context", "894f", "0fc2020300000702"),
  frame("a tag, UDP", "8100", "0005", ipv4(17, UDP)),
  frame("a tag with a priority", "8100", "e005", ipv4(17, UDP)),
  frame("a tag of priority alone", "8100", "4000", ipv4(17, UDP)),
  frame("a tag, 802.2", "8100", "0005", STP),
  frame("a tag, ARP", "8100", "0005", "0806", ARP(1)),
  frame("a tag, an unknown type", "8100", "0005", "88b5", zeros(46)),
  frame("a tag, neighbour solicitation, code 1", "8100", "0005", NEIGHBOUR(135, 1)),
  frame("a tag, IPv6, cut off", "8100", "0005", "86dd", `600${hex(0x54321, 3).slice(1)}0008`),
  frame("a service tag", "88a8", "0005", ipv4(17, UDP)),
  frame("two tags, UDP", "88a8", "0005", "8100", "0006", ipv4(17, UDP)),
  frame("two tags, 802.2", "88a8", "0005", "8100", "0006", STP),
  frame("three tags", "88a8", "0005", "8100", "0006", "8100", "0007", ipv4(17, UDP)),
];

/** Frames of 802.2: one key for all. */
export const LLC_FRAMES: readonly Frame[] = [
  frame("spanning tree", STP),
  frame("NetBIOS", "0003", "f0f003", zeros(43)),
  frame("SNAP of an organization", "0026", "aaaa0300000c2000", zeros(30)),
  frame("SNAP of no type", "0026", "aaaa030000000026", zeros(30)),
  frame("too short for SNAP", "0003", "aaaa03"),
];

/** Frames that end where no flow can say so. */
export const ODD_FRAMES: readonly Frame[] = [
  frame("MPLS, cut off", "8847", "0001"),
  frame("MPLS, cut off in the second label", "8847", LABEL(16, false), "00"),
  frame("a tag, the next one cut off", "8100", "0005", "8100", "0006"),
];
