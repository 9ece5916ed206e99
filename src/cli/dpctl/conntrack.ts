import { Conntrack } from "../../conntrack/conntrack.ts";
import { NetlinkError } from "../../netlink/errors.ts";
import { EINVAL, ENOENT } from "../../sys/errno.ts";
import { MillraceError } from "../../sys/errors.ts";
import { ConnectionMatch } from "./conntrack-match.ts";
import { connectionText, protocolName, TCP_STATE_ORDER, tcpStateName } from "./conntrack-text.ts";
import type { DpctlSession } from "./session.ts";

// ovs-dpctl's commands for tracked connections.

/** `dump-conntrack [DP] [zone=N]` */
export function dumpConntrack(session: DpctlSession, args: readonly string[]): number {
  const { zone, rest } = takeZone(args);
  session.openOptional(rest, 1);
  const style = { verbose: session.verbose, statistics: session.options.statistics };
  return tracked(session, "starting conntrack dump", (conntrack) => {
    for (const connection of conntrack.connections(zone)) {
      session.out(`${connectionText(connection, style)}\n`);
    }
  });
}

/** `flush-conntrack [DP] [zone=N] [mark=X[/M]] [labels=Y[/N]] [TUPLE [TUPLE]]` */
export function flushConntrack(session: DpctlSession, args: readonly string[]): number {
  const named = session.exists(args[0]);
  let match: ConnectionMatch;
  try {
    match = new ConnectionMatch(named ? args.slice(1) : args);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return session.complain(error.message, EINVAL);
  }
  session.openOptional(named ? args.slice(0, 1) : [], 1);
  return tracked(session, "failed to flush conntrack", (conntrack) => {
    if (match.isAny && match.zone === undefined) {
      conntrack.flush();
      return;
    }
    // The kernel cannot flush by zone: matching connections are read and deleted one by one.
    const found = [...conntrack.connections(match.zone)].filter((known) => match.matches(known));
    for (const connection of found) {
      try {
        conntrack.delete(connection);
      } catch (error) {
        // The connection has ended meanwhile.
        if (!(error instanceof NetlinkError) || error.errno !== ENOENT) throw error;
      }
    }
  });
}

/**
 * Protocols that ct-stats-show counts separately, in its order. It counts ICMPv6 without showing
 * it.
 */
const COUNTED = ["TCP", "UDP", "UDPLITE", "SCTP", "ICMP", "DCCP", "IGMP"];

/** `ct-stats-show [DP] [zone=N] [verbose]` */
export function ctStatsShow(session: DpctlSession, args: readonly string[]): number {
  const left = [...args];
  let zone: number | undefined;
  let { verbose } = session;
  for (let last = left.at(-1) ?? ""; ; last = left.at(-1) ?? "") {
    const taken = takeZone(left);
    if (last.startsWith("verbose")) verbose = true;
    else if (taken.zone === undefined) break;
    else zone = taken.zone;
    left.pop();
  }
  session.openOptional(left, 1);
  const protocols = new Map<string, number>();
  const states = new Map<string, number>();
  let total = 0;
  const status = tracked(session, "starting conntrack dump", (conntrack) => {
    for (const { original, state } of conntrack.connections(zone)) {
      total++;
      const name = protocolName(original.protocol).toUpperCase();
      const counted = name === "ICMPV6" || COUNTED.includes(name) ? name : "Other";
      protocols.set(counted, (protocols.get(counted) ?? 0) + 1);
      if (name !== "TCP") continue;
      const shown = state?.protocol === "tcp" ? tcpStateName(state.state) : "CLOSED";
      states.set(shown, (states.get(shown) ?? 0) + 1);
    }
  });
  if (status !== 0) return status;
  session.out(`Connections Stats:\n    Total: ${total}\n`);
  for (const name of [...COUNTED, "Other"]) {
    const count = protocols.get(name);
    if (count === undefined) continue;
    session.out(`  ${name}: ${count}\n`);
    if (name === "TCP" && verbose) showStates(session, states);
  }
  return 0;
}

function showStates(session: DpctlSession, states: ReadonlyMap<string, number>): void {
  session.out("    Conn per TCP states:\n");
  for (const name of TCP_STATE_ORDER) {
    const count = states.get(name);
    if (count !== undefined) session.out(`\t  [${name}]=${count}\n`);
  }
}

function takeZone(args: readonly string[]): { zone: number | undefined; rest: readonly string[] } {
  const [, digits] = /^zone=(\d+)/.exec(args.at(-1) ?? "") ?? [];
  if (digits === undefined) return { zone: undefined, rest: args };
  return { zone: Number(digits) & 0xffff, rest: args.slice(0, -1) };
}

function tracked(
  session: DpctlSession,
  message: string,
  use: (conntrack: Conntrack) => void,
): number {
  try {
    use(new Conntrack(session.channel));
    return 0;
  } catch (error) {
    return session.complainOf(message, error);
  }
}
