import { printActions } from "../action/print.ts";
import { printKey } from "../key/print.ts";
import { KeyRecord } from "../key/record.ts";
import { type FlowParts, readMatch } from "../parts.ts";
import { type FlowPrintStyle, printBeforeActions, printFlow } from "../print.ts";
import { TextSink } from "../text/sink.ts";
import { printUfid } from "../text/ufid.ts";
import { hashOf, isAligned, isSame, Kept, WordView } from "./kept.ts";
import { KeyPattern, recordValues } from "./key-pattern.ts";

/** A list of actions and its text. */
type PrintedActions = { readonly bytes: Uint8Array; readonly text: Uint8Array };

/**
 * Prints flows as `printFlow` does, to the same bytes. Flows whose keys have the same attributes
 * under the same masks share a pattern: its text, and a few places for values. The text of a known
 * list of actions is copied.
 */
export class FlowPrinter {
  readonly #style: FlowPrintStyle;
  readonly #record = new KeyRecord();
  readonly #patterns = new Kept<KeyPattern>();
  readonly #actions = new Kept<PrintedActions>();
  readonly #text = new TextSink(512);
  readonly #words = new WordView();
  /** The pattern of the last key: that of the next one, more often than not. */
  #last: KeyPattern | undefined;

  /** @param style the style of all flows that it prints; its port names must not change */
  constructor(style: FlowPrintStyle) {
    this.#style = style;
  }

  /** As `printFlow`. */
  print(flow: FlowParts, out: TextSink, nowMs: number): boolean {
    const { bytes, ufid, key, mask, actions } = flow;
    const style = this.#style;
    if (actions.start < 0) return false;
    if (!isAligned(key, mask, actions)) return printFlow(flow, this.#record, out, style, nowMs);
    const words = this.#words.of(bytes);
    const before = out.length;
    if (style.verbose && ufid.start >= 0) {
      printUfid(out, bytes, ufid.start, ufid.end);
      out.text(", ");
    }
    if (!this.#printKey(flow, words, out)) {
      out.truncate(before);
      return false;
    }
    printBeforeActions(flow, out, style, nowMs);
    this.#printActions(flow, words, out);
    return true;
  }

  #printKey(flow: FlowParts, words: Int32Array, out: TextSink): boolean {
    const { bytes, key, mask } = flow;
    const last = this.#last;
    if (last !== undefined && last.matches(words, key, mask)) {
      last.print(bytes, key.start, out, this.#style.ports);
      return true;
    }
    const hash = hashOf(words, mask.start, mask.end, key.end - key.start);
    const kept = this.#patterns.of(hash);
    if (kept !== undefined) {
      for (let i = 0; i < kept.length; i++) {
        const pattern = kept[i]!;
        if (!pattern.matches(words, key, mask)) continue;
        this.#last = pattern;
        pattern.print(bytes, key.start, out, this.#style.ports);
        return true;
      }
    }
    const record = this.#record;
    if (!readMatch(flow, record)) return false;
    if (!this.#patterns.takes(kept)) {
      printKey(record, out, this.#style);
      return true;
    }
    const text = this.#text.clear();
    const values = recordValues(record, text, this.#style);
    this.#patterns.add(hash, new KeyPattern({ flow, words, record }, text, values));
    out.copy(text.bytes, 0, text.length);
    return true;
  }

  #printActions({ bytes, actions }: FlowParts, words: Int32Array, out: TextSink): void {
    const { start, end } = actions;
    const hash = hashOf(words, start, end, 0);
    const kept = this.#actions.of(hash);
    if (kept !== undefined) {
      for (let i = 0; i < kept.length; i++) {
        const { bytes: known, text } = kept[i]!;
        if (!isSame(bytes, start, end, known)) continue;
        out.copy(text, 0, text.length);
        return;
      }
    }
    const from = out.length;
    printActions(out, bytes, start, end, this.#style.ports);
    if (!this.#actions.takes(kept)) return;
    const text = out.bytes.slice(from, out.length);
    this.#actions.add(hash, { bytes: bytes.slice(start, end), text });
  }
}
