import { printActions } from "./action/print.ts";
import { printKey } from "./key/print.ts";
import type { KeyRecord } from "./key/record.ts";
import { type FlowParts, type FlowStatistics, readMatch } from "./parts.ts";
import type { PrintStyle } from "./text/field-print.ts";
import type { TextSink } from "./text/sink.ts";
import { printUfid } from "./text/ufid.ts";
import { DOT } from "./text/ascii.ts";

/** How a line of a dump is printed. */
export type FlowPrintStyle = PrintStyle & {
  /** Whether to print packets, bytes, use and TCP flags. */
  readonly statistics: boolean;
};

/** Letters of TCP flags in the order in which OVS prints them, and the bit of each. */
const TCP_FLAG_LETTERS = "SFPRU.EC";
const TCP_FLAG_BITS = [0x02, 0x01, 0x08, 0x04, 0x20, 0x10, 0x40, 0x80];

/**
 * Prints a flow as a line of `ovs-dpctl dump-flows` (with `verbose`, of `-m`), without a newline.
 * {@link FlowLineEncoder} reads it back to the same flow.
 * @param record receives the key and mask of the flow
 * @param nowMs monotonic milliseconds now, for `used:`
 * @returns false, with nothing printed, if key and mask are malformed or the actions are missing (a
 * dump leaves out actions that do not fit its chunk: get the flow by itself)
 */
export function printFlow(
  flow: FlowParts,
  record: KeyRecord,
  out: TextSink,
  style: FlowPrintStyle,
  nowMs: number,
): boolean {
  const { bytes, ufid, actions } = flow;
  if (actions.start < 0) return false;
  if (!readMatch(flow, record)) return false;
  if (style.verbose && ufid.start >= 0) {
    printUfid(out, bytes, ufid.start, ufid.end);
    out.text(", ");
  }
  printKey(record, out, style);
  printBeforeActions(flow, out, style, nowMs);
  printActions(out, bytes, actions.start, actions.end, style.ports);
  return true;
}

/** Prints the part between the key and the actions. */
export function printBeforeActions(
  flow: FlowStatistics,
  out: TextSink,
  style: FlowPrintStyle,
  nowMs: number,
): void {
  if (style.statistics) {
    out.text(", ");
    printStatistics(flow, out, nowMs);
    // The kernel's datapath: OVS has others.
    if (style.verbose) out.text(", dp:ovs");
  }
  out.text(", actions:");
}

/** Prints `packets:N, bytes:N, used:T[, flags:F]`. @param nowMs monotonic milliseconds now */
export function printStatistics(flow: FlowStatistics, out: TextSink, nowMs: number): void {
  out.text("packets:");
  out.dec(flow.packets);
  out.text(", bytes:");
  out.dec(flow.byteCount);
  out.text(", used:");
  printUsed(out, flow.usedMs, nowMs);
  if (flow.tcpFlags !== 0) {
    out.text(", flags:");
    printTcpFlags(out, flow.tcpFlags);
  }
}

/** Seconds since the last packet, with three decimals. */
function printUsed(out: TextSink, usedMs: number, nowMs: number): void {
  if (usedMs === 0) {
    out.text("never");
    return;
  }
  const elapsed = Math.max(0, Math.round(nowMs - usedMs));
  const seconds = Math.floor(elapsed / 1000);
  const thousandths = elapsed - seconds * 1000;
  out.dec(seconds);
  out.byte(DOT);
  if (thousandths < 100) out.byte(0x30);
  if (thousandths < 10) out.byte(0x30);
  out.dec(thousandths);
  out.byte(0x73);
}

/** Prints one letter per flag, as `packet_format_tcp_flags` of OVS. */
function printTcpFlags(out: TextSink, flags: number): void {
  for (const [i, bit] of TCP_FLAG_BITS.entries()) {
    if ((flags & bit) !== 0) out.byte(TCP_FLAG_LETTERS.charCodeAt(i));
  }
}
