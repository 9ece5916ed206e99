import { printActions } from "../action/print.ts";
import { printKey } from "../key/print.ts";
import { KeyRecord } from "../key/record.ts";
import { type FlowParts, readMatch } from "../parts.ts";
import { type FlowPrintStyle, printFlow, printStatistics } from "../print.ts";
import { TextSink } from "../text/sink.ts";
import { printUfid } from "../text/ufid.ts";
import { KeyPattern, recordValues } from "./key-pattern.ts";

/** Patterns of keys, and lists of actions, that are kept. */
const KEPT_MAX = 1024;

/** Those of one hash that are kept: more are values, not patterns. */
const KEPT_PER_HASH = 4;

/** A list of actions and its text. */
type PrintedActions = { readonly bytes: Uint8Array; readonly text: Uint8Array };

/**
 * Prints flows as `printFlow` does, to the same bytes. Flows whose keys have the same attributes under the same
 * masks share a pattern: its text, and a few places for values. Lists of actions that came before are copied.
 */
export class FlowPrinter {
  readonly #style: FlowPrintStyle;
  readonly #record = new KeyRecord();
  readonly #patterns = new Kept<KeyPattern>();
  readonly #actions = new Kept<PrintedActions>();
  readonly #text = new TextSink(512);
  #bytes: Uint8Array = new Uint8Array(0);
  #words: Int32Array = new Int32Array(0);

  /** @param style of all flows that it prints; the names of its ports stay as they are */
  constructor(style: FlowPrintStyle) {
    this.#style = style;
  }

  /** As `printFlow`. */
  print(flow: FlowParts, out: TextSink, nowMs: number): boolean {
    const { bytes, ufid, key, mask, actions } = flow;
    const style = this.#style;
    if (actions.start < 0) return false;
    const aligned = ((key.start | mask.start | actions.start) & 3) === 0 && mask.start >= 0;
    if (!aligned) return printFlow(flow, this.#record, out, style, nowMs);
    const words = this.#wordsOf(bytes);
    const before = out.length;
    if (style.verbose && ufid.start >= 0) {
      printUfid(out, bytes, ufid.start, ufid.end);
      out.text(", ");
    }
    if (!this.#printKey(flow, words, out)) {
      out.truncate(before);
      return false;
    }
    if (style.statistics) {
      out.text(", ");
      printStatistics(flow, out, nowMs);
      // The datapath is the kernel's: OVS has others.
      if (style.verbose) out.text(", dp:ovs");
    }
    out.text(", actions:");
    this.#printActions(flow, words, out);
    return true;
  }

  // Words over the bytes: those of dumps lie in the same memory.
  #wordsOf(bytes: Uint8Array): Int32Array {
    if (this.#bytes !== bytes) {
      this.#bytes = bytes;
      const isAligned = (bytes.byteOffset & 3) === 0;
      const source = isAligned ? bytes : bytes.slice();
      this.#words = new Int32Array(source.buffer, source.byteOffset, source.length >> 2);
    }
    return this.#words;
  }

  #printKey(flow: FlowParts, words: Int32Array, out: TextSink): boolean {
    const { bytes, key, mask } = flow;
    const hash = hashOf(words, mask.start, mask.end, key.end - key.start);
    const kept = this.#patterns.of(hash);
    if (kept !== undefined) {
      for (let i = 0; i < kept.length; i++) {
        const pattern = kept[i]!;
        if (!pattern.matches(words, key, mask)) continue;
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
    this.#patterns.add(hash, new KeyPattern(flow, words, record, text, values));
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
    printActions(bytes, start, end, out, this.#style.ports);
    if (!this.#actions.takes(kept)) return;
    const text = out.bytes.slice(from, out.length);
    this.#actions.add(hash, { bytes: bytes.slice(start, end), text });
  }
}

/** What was seen before, by a hash. */
class Kept<T> {
  readonly #byHash = new Map<number, T[]>();
  #size = 0;

  of(hash: number): readonly T[] | undefined {
    return this.#byHash.get(hash);
  }

  /** Whether there is room for another one beside those of its hash. */
  takes(known: readonly T[] | undefined): boolean {
    return this.#size < KEPT_MAX && (known?.length ?? 0) < KEPT_PER_HASH;
  }

  add(hash: number, value: T): void {
    const known = this.#byHash.get(hash);
    if (known === undefined) this.#byHash.set(hash, [value]);
    else known.push(value);
    this.#size++;
  }
}

// A hash of the words that begin in `start` to `end`.
function hashOf(words: Int32Array, start: number, end: number, seed: number): number {
  let hash = seed + end - start;
  for (let at = start >> 2; at < end >> 2; at++) {
    hash = Math.imul(hash ^ words[at]!, 0x9e3779b1); // the attribute lies in the words
    hash ^= hash >>> 15;
  }
  return hash;
}

function isSame(bytes: Uint8Array, start: number, end: number, known: Uint8Array): boolean {
  if (end - start !== known.length) return false;
  for (let i = 0; i < known.length; i++) if (bytes[start + i] !== known[i]) return false;
  return true;
}
