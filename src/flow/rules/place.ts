import { ACTIONS } from "../action/table.ts";
import { placesOf } from "../json/leaves.ts";
import { KEYS } from "../key/table.ts";
import { type LineParts, partsOfLine } from "./line-parts.ts";
import type { ActionPath, Refusal } from "./refusal.ts";

/** The words by which a rule names what breaks it. */
const WORDS: ReadonlySet<string> = new Set([
  ...[...KEYS, ...ACTIONS].map(({ name }) => name),
  // Why a header of the transport is wanted.
  "proto",
]);

const LATIN1 = new TextDecoder("latin1");

/** What a refusal says of its place. */
type Broken = Pick<Refusal, "reason" | "action">;

/**
 * Where in a line of the input, or of a dump, stands what breaks a rule: the action, or the first key, or
 * field of one, that the reason names and the line has.
 * @returns the offset of its first byte in `line`, or undefined where the line has none of them
 */
export function placeOf(broken: Broken, line: Uint8Array): number | undefined {
  // A character a byte: offsets are offsets of bytes.
  const text = LATIN1.decode(line);
  return /^\s*\{/.test(text) ? placeInJson(broken, line) : placeInText(broken, text);
}

function placeInText({ reason, action }: Broken, text: string): number | undefined {
  const parts = partsOfLine(text);
  if (action !== undefined) return actionIn(text, parts.actions, action);
  for (const word of wordsOf(reason)) {
    const found = new RegExp(`(?<![\\w.-])${word}(?=[(=])`).exec(text.slice(...parts.key));
    if (found !== null) return parts.key[0] + found.index;
  }
  return undefined;
}

function* wordsOf(reason: string): Generator<string> {
  for (const [word] of reason.matchAll(/\w+/g)) if (WORDS.has(word)) yield word;
}

/** The first byte of the action that a path leads to, as far as it leads in this text. */
function actionIn(text: string, list: LineParts["actions"], path: ActionPath): number | undefined {
  let range: readonly [number, number] | undefined = list;
  let at: number | undefined;
  for (const [i, step] of path.entries()) {
    if (typeof step === "number") {
      // A list without a name is all that its action holds.
      if (typeof path[i - 1] === "number") range = listIn(text, range, "");
      range = range === undefined ? undefined : actionsOf(text, range)[step];
      if (range !== undefined) [at] = range;
    } else range = listIn(text, range, step);
    if (range === undefined) return at;
  }
  return at;
}

/** Where the actions of a list are: between commas and blanks outside parentheses. */
function actionsOf(text: string, [start, end]: readonly [number, number]): [number, number][] {
  const found: [number, number][] = [];
  let depth = 0;
  let from = -1;
  for (let at = start; at <= end; at++) {
    const character = at < end ? (text[at] ?? ",") : ",";
    const parts = depth === 0 && /[,\s]/.test(character);
    if (!parts && from < 0) from = at;
    if (character === "(") depth++;
    if (character === ")") depth--;
    // In a list in another action a parenthesis alone parts two.
    const closed = character === ")" && depth === 0;
    if (from < 0 || !(parts || closed)) continue;
    found.push([from, closed ? at + 1 : at]);
    from = -1;
  }
  return found;
}

/** The inside of the first parentheses behind `name` in a range. */
function listIn(
  text: string,
  range: readonly [number, number] | undefined,
  name: string,
): [number, number] | undefined {
  if (range === undefined) return undefined;
  const begin = text.indexOf(`${name}(`, range[0]);
  if (begin < 0 || begin >= range[1]) return undefined;
  const start = begin + name.length + 1;
  let depth = 1;
  let at = start;
  for (; at < range[1] && depth > 0; at++) {
    if (text[at] === "(") depth++;
    if (text[at] === ")") depth--;
  }
  return [start, depth === 0 ? at - 1 : at];
}

function placeInJson({ reason, action }: Broken, line: Uint8Array): number | undefined {
  const places = placesOf(line);
  if (action !== undefined) return actionInJson(places, action);
  for (const word of wordsOf(reason)) {
    for (const [path, at] of places)
      if (path.startsWith(".key.") && path.endsWith(`.${word}`)) return at;
  }
  return undefined;
}

function actionInJson(places: ReadonlyMap<string, number>, steps: ActionPath): number | undefined {
  let path = ".actions";
  let at: number | undefined;
  for (const [i, step] of steps.entries()) {
    // An action is an object with one member, named as it is.
    if (i > 0 && typeof steps[i - 1] === "number") {
      const inside = [...places.keys()].find((one) => one.startsWith(`${path}.`));
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
