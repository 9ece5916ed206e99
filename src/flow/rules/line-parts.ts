import { KEYS } from "../key/table.ts";

/** The ranges of a line's parts; each end is exclusive. */
export type LineParts = {
  readonly key: readonly [number, number];
  readonly actions: readonly [number, number];
};

const KEY_WORDS: ReadonlySet<string> = new Set(KEYS.map(({ name }) => name));
const PREFIX = /^\s*(?:[a-z]+\s+)?(?:ufid:[\w-]+[,\s]*)?/;
const WORD = /[,\s]*(\w+)\(/y;

/**
 * Finds the key and the actions in the text of a flow, a line of the input or of a dump. The line
 * was parsed before, so its grammar is not checked.
 */
export function partsOfLine(text: string): LineParts {
  const start = PREFIX.exec(text)?.[0].length ?? 0;
  let at = start;
  for (;;) {
    WORD.lastIndex = at;
    const [matched, word = ""] = WORD.exec(text) ?? [""];
    if (!KEY_WORDS.has(word) && !/^key\d+$/.test(word)) break;
    at = closing(text, at + matched.length);
  }
  const rest = text.slice(at);
  const statistics = /^[,\s]*\w+:/.test(rest) ? rest.indexOf("actions:") : -1;
  const begin = at + (statistics < 0 ? 0 : statistics + "actions:".length);
  const length = text.slice(begin).search(/#|, dp-extra-info:|$/);
  return { key: [start, at], actions: [begin, begin + length] };
}

/** The offset after the parenthesis that closes the one before `from`. */
function closing(text: string, from: number): number {
  let depth = 1;
  let at = from;
  for (; at < text.length && depth > 0; at++) {
    if (text[at] === "(") depth++;
    if (text[at] === ")") depth--;
  }
  return at;
}
