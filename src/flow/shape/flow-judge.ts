import { LEVELS } from "../key/levels.ts";
import { KeyRecord, keyOffset } from "../key/record.ts";
import { KEYS } from "../key/table.ts";
import { type FlowParts, readMatch } from "../parts.ts";
import type { Refusal } from "../rules/refusal.ts";
import { brokenRule } from "../rules/validate.ts";
import { hashOf, isAligned, isSame, Kept, WordView } from "./kept.ts";
import { KeyForm, type KeyHole, payloadsOf } from "./key-form.ts";

/** Keys that have fields which no rule looks at. */
const UNRULED = KEYS.filter(({ unruled }) => unruled.length > 0);

/** Flows known to be accepted: keys of a form with this list of actions. */
type Taken = { readonly form: KeyForm; readonly actions: Uint8Array };

function takes(
  { form, actions: known }: Taken,
  { bytes, key, mask, actions }: FlowParts,
  words: Int32Array,
): boolean {
  return form.matches(words, key, mask) && isSame(bytes, actions.start, actions.end, known);
}

/**
 * Judges flows as `brokenRule` does, for a kernel that can do everything. Flows that differ only in
 * addresses and ports are judged once, if the verdict does not depend on these.
 */
export class FlowJudge {
  readonly #taken = new Kept<Taken>();
  /** What took the last flow, and mostly takes the next one. */
  #last: Taken | undefined;
  readonly #words = new WordView();
  readonly #record = new KeyRecord();

  /** The rule that a flow breaks; undefined if a kernel takes it. */
  brokenRule(flow: FlowParts): Refusal | undefined {
    const { bytes, key, mask, actions } = flow;
    if (actions.start < 0 || key.start < 0 || !isAligned(key, mask, actions)) {
      return brokenRule(flow);
    }
    const words = this.#words.of(bytes);
    const last = this.#last;
    if (last !== undefined && takes(last, flow, words)) return undefined;
    const hash = hashOf(words, mask.start, mask.end, hashOf(words, actions.start, actions.end, 0));
    const kept = this.#taken.of(hash);
    if (kept !== undefined) {
      for (let i = 0; i < kept.length; i++) {
        const taken = kept[i]!; // i is below its length
        if (!takes(taken, flow, words)) continue;
        this.#last = taken;
        return undefined;
      }
    }
    const broken = brokenRule(flow);
    if (broken === undefined && this.#taken.takes(kept) && readMatch(flow, this.#record)) {
      const form = new KeyForm(flow, words, this.#holesOf(flow));
      this.#taken.add(hash, { form, actions: bytes.slice(actions.start, actions.end) });
    }
    return broken;
  }

  #holesOf(flow: FlowParts): KeyHole[] {
    const payloads = payloadsOf(flow, this.#record);
    const holes: KeyHole[] = [];
    for (let level = 0; level < LEVELS; level++) {
      for (const { slot, fields, unruled } of UNRULED) {
        const at = payloads.get(keyOffset(level, slot));
        if (at === undefined) continue;
        for (const field of fields) if (unruled.includes(field.name)) holes.push({ field, at });
      }
    }
    return holes;
  }
}
