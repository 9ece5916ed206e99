import { decodeKey, NO_MASK } from "../flow/key/decode.ts";
import { printKey } from "../flow/key/print.ts";
import { KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "../flow/key/record.ts";
import { LEVELS, SLOT_ETHERNET, SLOT_UNKNOWN } from "../flow/key/slots.ts";
import type { FlowParts } from "../flow/print.ts";
import { TextSink } from "../flow/text/sink.ts";
import { dumpFlows } from "../ovs/flow.ts";
import type { LoadTarget } from "./sender.ts";

/** Dumps that a load makes to name overlaps, and flows that it names them for: a bound on both. */
const DUMPS_MAX = 3;
const FLOWS_MAX = 100;

/**
 * Finds the flows that others were refused for, because they overlap. The kernel does not say which it
 * was, and a GET finds only the flow of the same identity, so they are looked for in a dump.
 */
export class OverlapSearch {
  readonly #target: LoadTarget;
  #dumps = 0;
  #flows = 0;

  constructor(target: LoadTarget) {
    this.#target = target;
  }

  /**
   * The key of the flow that each of `refused` overlaps, in text; undefined where none was found, or the
   * search has been made often enough.
   */
  find(refused: readonly FlowParts[]): readonly (string | undefined)[] {
    const found: (string | undefined)[] = refused.map(() => undefined);
    if (refused.length === 0 || this.#dumps === DUMPS_MAX || this.#flows >= FLOWS_MAX) return found;
    const looked = refused.slice(0, FLOWS_MAX - this.#flows).map(recordOf);
    this.#dumps++;
    this.#flows += looked.length;
    const held = new KeyRecord();
    let left = looked.length;
    for (const view of dumpFlows(this.#target.channel, this.#target.datapath)) {
      if (!readInto(view, held)) continue;
      for (const [index, record] of looked.entries()) {
        if (found[index] !== undefined || !overlaps(record, held)) continue;
        found[index] = textOf(held);
        left--;
      }
      if (left === 0) break;
    }
    return found;
  }
}

function recordOf(flow: FlowParts): KeyRecord {
  const record = new KeyRecord();
  readInto(flow, record);
  return record;
}

function readInto({ bytes, key, mask }: FlowParts, record: KeyRecord): boolean {
  return decodeKey(
    bytes,
    key.start,
    key.end,
    mask.start < 0 ? NO_MASK : mask.start,
    mask.end,
    record,
  );
}

/**
 * Whether a packet with the masked key of `flow`, zero in all that it does not match, is one of `held`:
 * so the kernel looks for an overlap (`ovs_flow_tbl_lookup` in `ovs_flow_cmd_new`).
 */
function overlaps(flow: KeyRecord, held: KeyRecord): boolean {
  if (flow.has(0, SLOT_ETHERNET) !== held.has(0, SLOT_ETHERNET)) return false;
  for (let level = 0; level < LEVELS; level++) {
    for (let left = held.present[level]!; left !== 0; left &= left - 1) {
      const slot = 31 - Math.clz32(left & -left);
      if (slot === SLOT_UNKNOWN) continue;
      const key = keyOffset(level, slot) >> 2;
      const mask = maskOffset(level, slot) >> 2;
      for (let i = 0; i < WORDS_OF_SLOT[slot]!; i++) {
        const differ = flow.ints[key + i]! ^ held.ints[key + i]!;
        if ((differ & held.ints[mask + i]!) !== 0) return false;
      }
    }
  }
  return true;
}

function textOf(record: KeyRecord): string {
  const out = new TextSink(256);
  printKey(record, out, { verbose: false });
  return out.toString();
}
