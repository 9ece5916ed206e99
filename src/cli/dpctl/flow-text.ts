import { printActions } from "../../flow/action/print.ts";
import { printKey } from "../../flow/key/print.ts";
import type { KeyRecord } from "../../flow/key/record.ts";
import {
  LEVELS,
  SLOT_ENCAP,
  SLOT_ETHERNET,
  SLOT_ETHERTYPE,
  SLOT_IPV6_EXTHDRS,
  SLOT_NSH,
} from "../../flow/key/slots.ts";
import { KEYS } from "../../flow/key/table.ts";
import { keepNamedErspan } from "../../flow/key/tunnel-print.ts";
import type { PortNames } from "../../flow/ports.ts";
import type { FlowParts } from "../../flow/parts.ts";
import { printStatistics } from "../../flow/print.ts";
import type { TextSink } from "../../flow/text/sink.ts";
import { printUuid } from "../../flow/text/uuid.ts";
import { COMMA } from "../../flow/text/ascii.ts";

const UFID_SIZE = 16;
const EMPTY_ETHERNET = new TextEncoder().encode("eth(),");

/** What ovs-dpctl prints too. */
const SHOWN_SLOTS: ReadonlySet<number> = new Set([
  SLOT_ETHERNET,
  SLOT_ENCAP,
  SLOT_NSH,
  SLOT_IPV6_EXTHDRS,
]);

/** What printKey keeps, wildcarded or not, so that it loads again; ovs-dpctl drops it. */
const DROPPED_SLOTS: readonly number[] = KEYS.filter(
  ({ slot, keep }) => keep && !SHOWN_SLOTS.has(slot),
).map(({ slot }) => slot);

/** How {@link printDpctlFlow} prints. */
type DpctlFlowStyle = { readonly verbose: boolean; readonly ports: PortNames | undefined };

/**
 * Prints a flow byte for byte as `ovs-dpctl dump-flows` does (`odp_flow_format` in lib/odp-util.c),
 * with what it leaves out: wildcarded headers that the kernel wants, so that not every line loads again.
 * @param record holds the flow's key; it is changed
 */
export function printDpctlFlow(
  flow: FlowParts,
  record: KeyRecord,
  out: TextSink,
  style: DpctlFlowStyle,
  nowMs: number,
): void {
  const { bytes, ufid, actions } = flow;
  const { verbose } = style;
  if (verbose && ufid.start >= 0 && ufid.end - ufid.start === UFID_SIZE) {
    out.text("ufid:");
    printUuid(out, bytes, ufid.start);
    out.text(", ");
  }
  const start = out.length;
  if (!verbose) dropWildcarded(record);
  keepNamedErspan(record);
  printKey(record, out, style);
  if (!verbose) {
    loseComma(out, start);
    // A mask without a key: any Ethernet type, or none.
    if (
      record.has(0, SLOT_ETHERTYPE) &&
      record.has(0, SLOT_ETHERNET) &&
      record.isWild(0, SLOT_ETHERTYPE)
    ) {
      out.text(",eth_type(0/0x0000)");
    }
  }
  out.text(", ");
  printStatistics(flow, out, nowMs);
  if (verbose) out.text(", dp:ovs");
  out.text(", actions:");
  printActions(bytes, Math.max(0, actions.start), Math.max(0, actions.end), out, style.ports);
}

function dropWildcarded(record: KeyRecord): void {
  for (let level = 0; level < LEVELS; level++) {
    if (record.count[level] === 0) continue;
    for (const slot of DROPPED_SLOTS) {
      if (record.has(level, slot) && record.isWild(level, slot)) record.remove(level, slot);
    }
  }
}

// OVS does not count a wildcarded eth() as the first field, and writes no comma after it.
function loseComma(out: TextSink, start: number): void {
  const { bytes } = out;
  for (const [i, byte] of EMPTY_ETHERNET.entries()) if (bytes[start + i] !== byte) return;
  const comma = start + EMPTY_ETHERNET.length - 1;
  if (comma >= out.length || bytes[comma] !== COMMA) return;
  bytes.copyWithin(comma, comma + 1, out.length);
  out.truncate(out.length - 1);
}
