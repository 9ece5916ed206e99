import { TextSink } from "../../flow/text/sink.ts";
import {
  AF_INET,
  type Connection,
  type ConnectionCounters,
  type ConnectionTuple,
  type ProtocolState,
} from "../../conntrack/connection.ts";

/** Protocols with a name in ovs-dpctl (`ct_dpif_format_ipproto`). */
const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [1, "icmp"],
  [2, "igmp"],
  [6, "tcp"],
  [17, "udp"],
  [33, "dccp"],
  [58, "icmpv6"],
  [132, "sctp"],
  [136, "udplite"],
]);

/** OVS's name of each state of the kernel's, by number (`nl_ct_tcp_state_to_dpif`). */
const TCP_STATES = [
  "CLOSED",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "FIN_WAIT_1",
  "CLOSE_WAIT",
  "LAST_ACK",
  "TIME_WAIT",
  "CLOSING",
  "SYN_SENT",
];

/** The order in which OVS counts them (CT_DPIF_TCP_STATES). */
export const TCP_STATE_ORDER: readonly string[] = [
  "CLOSED",
  "LISTEN",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "CLOSE_WAIT",
  "FIN_WAIT_1",
  "CLOSING",
  "LAST_ACK",
  "FIN_WAIT_2",
  "TIME_WAIT",
];

const SCTP_STATES = [
  "CLOSED",
  "CLOSED",
  "COOKIE_WAIT",
  "COOKIE_ECHOED",
  "ESTABLISHED",
  "SHUTDOWN_SENT",
  "SHUTDOWN_RECD",
  "SHUTDOWN_ACK_SENT",
  "HEARTBEAT_SENT",
  "HEARTBEAT_ACKED",
];

/** IP_CT_TCP_FLAG_*, by bit. */
const TCP_FLAGS = [
  "WINDOW_SCALE",
  "SACK_PERM",
  "CLOSE_INIT",
  "BE_LIBERAL",
  "DATA_UNACKNOWLEDGED",
  "MAXACK_SET",
];

/** IPS_*, by bit. */
const STATUS = [
  "EXPECTED",
  "SEEN_REPLY",
  "ASSURED",
  "CONFIRMED",
  "SRC_NAT",
  "DST_NAT",
  "SEQ_ADJUST",
  "SRC_NAT_DONE",
  "DST_NAT_DONE",
  "DYING",
  "FIXED_TIMEOUT",
  "TEMPLATE",
  "UNTRACKED",
];

/** How {@link connectionText} prints. */
type ConnectionStyle = { readonly verbose: boolean; readonly statistics: boolean };

/** A connection as a line of `ovs-dpctl dump-conntrack` (`ct_dpif_format_entry`), without a newline. */
export function connectionText(connection: Connection, style: ConnectionStyle): string {
  const { verbose, statistics } = style;
  const { original, reply, parent, timestamp, labels, helper } = connection;
  const [there, back] = connection.counters;
  const parts = [
    protocolName(original.protocol),
    `orig=(${tupleText(original)}${statistics ? countersText(there) : ""})`,
    `reply=(${tupleText(reply)}${statistics ? countersText(back) : ""})`,
  ];
  if (statistics && timestamp !== undefined) {
    if (timestamp.start !== 0n || timestamp.stop !== 0n)
      parts.push(`start=${time(timestamp.start)}`);
    if (timestamp.stop !== 0n) parts.push(`stop=${time(timestamp.stop)}`);
  }
  if (verbose) parts.push(`id=${connection.id}`);
  if (connection.zone !== 0) parts.push(`zone=${connection.zone}`);
  if (verbose) parts.push(`status=${flagsText(connection.status, STATUS)}`);
  if (statistics) parts.push(`timeout=${connection.timeout}`);
  if (connection.mark !== 0) parts.push(`mark=${connection.mark}`);
  const label = labelsText(labels);
  if (label !== "") parts.push(`labels=0x${label}`);
  if (connection.state !== undefined) {
    parts.push(`protoinfo=(${stateText(connection.state, verbose)})`);
  }
  if (helper !== undefined) parts.push(`helper=${helper}`);
  if (verbose && parent !== undefined) parts.push(`parent=(${tupleText(parent)})`);
  return parts.join(",");
}

/** The name of an IP protocol, or its number. */
export function protocolName(protocol: number): string {
  return PROTOCOLS.get(protocol) ?? `${protocol}`;
}

/** OVS's name for the state of a TCP connection, as counted and as shown without `-m`. */
export function tcpStateName(state: number): string {
  const name = TCP_STATES[state] ?? "CLOSED";
  // The kernel's tracker and OVS's differ here (ct_dpif_coalesce_tcp_state).
  if (name === "FIN_WAIT_2") return "TIME_WAIT";
  return name === "SYN_RECV" ? "ESTABLISHED" : name;
}

function tupleText({
  family,
  source,
  destination,
  sourcePort,
  destinationPort,
  icmp,
}: ConnectionTuple): string {
  const addresses = `src=${addressText(family, source)},dst=${addressText(family, destination)}`;
  return icmp === undefined
    ? `${addresses},sport=${sourcePort},dport=${destinationPort}`
    : `${addresses},id=${icmp.id},type=${icmp.type},code=${icmp.code}`;
}

function addressText(family: number, bytes: Uint8Array): string {
  const out = new TextSink(64);
  if (family === AF_INET) out.ipv4(bytes, 0);
  else out.ipv6(bytes, 0);
  return out.toString();
}

function countersText(counters: ConnectionCounters | undefined): string {
  if (counters === undefined || (counters.packets === 0n && counters.bytes === 0n)) return "";
  return `,packets=${counters.packets},bytes=${counters.bytes}`;
}

function stateText(state: ProtocolState, verbose: boolean): string {
  if (state.protocol === "sctp") {
    const [there, back] = state.tags;
    const name = SCTP_STATES[state.state] ?? "CLOSED";
    return `state=${name},vtag_orig=${there},vtag_reply=${back}`;
  }
  if (!verbose) return `state=${tcpStateName(state.state)}`;
  const name = TCP_STATES[state.state] ?? "CLOSED";
  const [scaleThere, scaleBack] = state.windowScale;
  const scale =
    scaleThere + scaleBack > 0 ? `,wscale_orig=${scaleThere},wscale_reply=${scaleBack}` : "";
  const [there, back] = state.flags;
  return (
    `state_orig=${name},state_reply=${name}${scale}` +
    `,flags_orig=${flagsText(there, TCP_FLAGS)},flags_reply=${flagsText(back, TCP_FLAGS)}`
  );
}

// OVS ignores bits without a name.
function flagsText(bits: number, names: readonly string[]): string {
  const set = names.filter((_, bit) => ((bits >>> bit) & 1) === 1);
  return set.length === 0 ? "0" : set.join("|");
}

function labelsText(labels: Uint8Array | undefined): string {
  return labels === undefined ? "" : labels.toReversed().toHex().replace(/^0+/, "");
}

// Local time, as ovs-dpctl shows it.
function time(nanoseconds: bigint): string {
  const at = new Date(Number(nanoseconds / 1_000_000n));
  const two = (value: number): string => `${value}`.padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day}T${clock}.${`${at.getMilliseconds()}`.padStart(3, "0")}`;
}
