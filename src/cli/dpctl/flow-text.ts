import type { ByteRange, FlowParts } from "../../flow/parts.ts";
import { printStatistics } from "../../flow/print.ts";
import type { TextSink } from "../../flow/text/sink.ts";
import { printUfid } from "../../flow/text/ufid.ts";
import { printOdpActions } from "./odp-actions.ts";
import { printOdpKey } from "./odp-key.ts";
import type { OdpStyle } from "./odp.ts";

/**
 * Prints a flow byte for byte as `ovs-dpctl dump-flows` does (`format_dpif_flow` in lib/dpctl.c),
 * and leaves out what it leaves out: wildcarded headers that the kernel requires. So not every line
 * loads again.
 */
export function printDpctlFlow(
  flow: FlowParts,
  out: TextSink,
  style: OdpStyle,
  nowMs: number,
): void {
  const { bytes, ufid, key, mask, actions } = flow;
  const at = ({ start, end }: ByteRange): Uint8Array => bytes.subarray(start, end);
  if (style.verbose && ufid.start >= 0) {
    printUfid(out, bytes, ufid.start, ufid.end);
    out.text(", ");
  }
  printOdpKey(out, at(key), mask.end > mask.start ? at(mask) : "exact", style);
  out.text(", ");
  printStatistics(flow, out, nowMs);
  if (style.verbose) out.text(", dp:ovs");
  out.text(", actions:");
  printOdpActions(out, actions.start < 0 ? new Uint8Array(0) : at(actions), style.ports);
}
