import { KeyRecord } from "../flow/key/record.ts";
import { printFlow } from "../flow/print.ts";
import { placeOf } from "../flow/rules/place.ts";
import type { Refusal } from "../flow/rules/refusal.ts";
import { TextSink } from "../flow/text/sink.ts";
import { printUfid } from "../flow/text/ufid.ts";
import type { FlowParts } from "../flow/parts.ts";

/** The flow of a request in text, and the character of it that breaks a rule. */
export function pointedText(
  broken: Refusal | undefined,
  sent: FlowParts,
): { text: string; caret?: number } {
  return pointed(new TextEncoder().encode(textOf(sent)), broken);
}

/** As {@link pointedText}, for a line. */
export function pointed(
  line: Uint8Array,
  broken: Refusal | undefined,
): { text: string; caret?: number } {
  const decoder = new TextDecoder();
  const text = decoder.decode(line);
  const at = broken?.at === undefined ? undefined : placeOf(broken.at, line);
  if (at === undefined) return { text };
  return { text, caret: decoder.decode(line.subarray(0, at)).length };
}

/** The flow of a request in text; a delete by UFID has only the UFID. */
function textOf(sent: FlowParts): string {
  const out = new TextSink(512);
  if (sent.key.start < 0) {
    printUfid(out, sent.bytes, sent.ufid.start, sent.ufid.end);
    return out.toString();
  }
  const style = { verbose: false, statistics: false };
  printFlow(sent, new KeyRecord(), out, style, 0);
  return out.toString();
}
