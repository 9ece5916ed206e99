import { placesOf } from "../json/leaves.ts";
import { type LineParts, partsOfLine } from "./line-parts.ts";
import type { ActionPath, RefusedPart } from "./refusal.ts";

// Finds the place in a line that breaks a rule.

const LATIN1 = new TextDecoder("latin1");

/** The range of a piece of text; the end is exclusive. */
type TextRange = readonly [start: number, end: number];

type KeyPart = Extract<RefusedPart, { part: "key" }>;

/**
 * Finds the part of a flow that breaks a rule, in a line of the input or of a dump.
 * @returns the offset of its first byte in `line`; of the key if the key does not have the field,
 * of the enclosing action if the line goes no deeper; undefined if the line has none of them
 */
export function placeOf(part: RefusedPart, line: Uint8Array): number | undefined {
  // One character per byte, so that offsets are byte offsets.
  const text = LATIN1.decode(line);
  if (/^\s*\{/.test(text)) return placeInJson(part, placesOf(line));
  const parts: LineParts = partsOfLine(text);
  return part.part === "key"
    ? keyIn(text, parts.key, part)
    : actionIn(text, parts.actions, part.path);
}

function keyIn(text: string, key: TextRange, { name, level, field }: KeyPart): number | undefined {
  let range: TextRange | undefined = key;
  for (let i = 0; i < level && range !== undefined; i++) range = insideOf(text, range, "encap");
  if (range === undefined) return undefined;
  const at = wordIn(text, range, name);
  const inside = field === undefined ? undefined : insideOf(text, range, name);
  if (inside === undefined || field === undefined) return at;
  return wordIn(text, inside, field) ?? at;
}

/** The first byte of the action at a path, followed as far as the text goes. */
function actionIn(text: string, list: TextRange, path: ActionPath): number | undefined {
  let range: TextRange | undefined = list;
  let at: number | undefined;
  for (const [i, step] of path.entries()) {
    // First the inside of an action, then its list of that name.
    if (typeof path[i - 1] === "number") range = insideOf(text, range);
    if (range === undefined) return at;
    range = typeof step === "number" ? actionsOf(text, range)[step] : insideOf(text, range, step);
    if (range === undefined) return at;
    if (typeof step === "number") [at] = range;
  }
  return at;
}

/** The ranges of a list's actions, which are separated by commas and blanks outside parentheses. */
function actionsOf(text: string, [start, end]: TextRange): TextRange[] {
  const found: TextRange[] = [];
  let depth = 0;
  let from = -1;
  for (let at = start; at <= end; at++) {
    const character = at < end ? (text[at] ?? ",") : ",";
    const parts = depth === 0 && /[,\s]/.test(character);
    if (!parts && from < 0) from = at;
    if (character === "(") depth++;
    if (character === ")") depth--;
    // In a nested list, a closing parenthesis alone separates two actions.
    const closed = character === ")" && depth === 0;
    if (from < 0 || !(parts || closed)) continue;
    found.push([from, closed ? at + 1 : at]);
    from = -1;
  }
  return found;
}

/** The offset of the word `name(` or `name=` in a range, outside parentheses. */
function wordIn(text: string, [start, end]: TextRange, name: string): number | undefined {
  let depth = 0;
  for (let at = start; at < end; at++) {
    if (text[at] === "(") depth++;
    if (text[at] === ")") depth--;
    if (depth > 0 || !text.startsWith(name, at)) continue;
    const isWord = at === start || !/[\w.-]/.test(text[at - 1] ?? "");
    if (isWord && /[(=]/.test(text[at + name.length] ?? "")) return at;
  }
  return undefined;
}

/** The inside of the first parentheses of a range, or of those after `name`. */
function insideOf(text: string, range: TextRange, name?: string): TextRange | undefined {
  const from = name === undefined ? range[0] : wordIn(text, range, name);
  const open = from === undefined ? -1 : text.indexOf("(", from);
  if (open < 0 || open >= range[1]) return undefined;
  let depth = 1;
  let at = open + 1;
  for (; at < range[1] && depth > 0; at++) {
    if (text[at] === "(") depth++;
    if (text[at] === ")") depth--;
  }
  return [open + 1, depth === 0 ? at - 1 : at];
}

function placeInJson(part: RefusedPart, places: ReadonlyMap<string, number>): number | undefined {
  if (part.part === "actions") return actionInJson(places, part.path);
  const key = `.key${".encap".repeat(part.level)}.${part.name}`;
  return places.get(`${key}.${part.field}`) ?? places.get(key);
}

function actionInJson(places: ReadonlyMap<string, number>, steps: ActionPath): number | undefined {
  let path = ".actions";
  let at: number | undefined;
  for (const [i, step] of steps.entries()) {
    // An action is an object whose single member has the action's name.
    if (i > 0 && typeof steps[i - 1] === "number") {
      const inside = [...places.keys()].find((member) => member.startsWith(`${path}.`));
      path =
        inside
          ?.split(/(?=[.[])/)
          .slice(0, path.split(/(?=[.[])/).length + 1)
          .join("") ?? path;
    }
    path += typeof step === "number" ? `[${step}]` : `.${step}`;
    const found = places.get(path);
    if (found === undefined) return at;
    if (typeof step === "number") at = found;
  }
  return at;
}
