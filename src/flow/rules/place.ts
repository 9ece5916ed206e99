import { ACTIONS } from "../action/table.ts";
import { KEYS } from "../key/table.ts";

/** The words by which a rule names what breaks it. */
const WORDS: ReadonlySet<string> = new Set([...KEYS, ...ACTIONS].map(({ name }) => name));

/**
 * Where in the text of a flow that is stands which a rule's reason speaks of: the first key or action
 * that the reason names and the flow has.
 * @returns the character, or undefined where the flow has none of them
 */
export function placeOf(reason: string, text: string): number | undefined {
  for (const [word] of reason.matchAll(/\w+/g)) {
    if (!WORDS.has(word)) continue;
    const at = text.search(new RegExp(`\\b${word}\\b`));
    if (at >= 0) return at;
  }
  return undefined;
}
