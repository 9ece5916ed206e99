import type { TopSort } from "./sampler.ts";

/** The choices made by keys. */
export type TopChoice = {
  sort: TopSort;
  filter: string;
  typed: string | undefined;
  quit: boolean;
};

const ESCAPE = "\u001b";
const INTERRUPT = "\u0003";
const BACKSPACES = new Set(["\u007f", "\b"]);

/**
 * Changes the choice according to a key.
 * @param key what the terminal sent: a character or an escape sequence
 */
export function pressKey(choice: TopChoice, key: string): void {
  if (key === INTERRUPT) choice.quit = true;
  else if (choice.typed !== undefined) typeFilter(choice, choice.typed, key);
  else if (key === "q") choice.quit = true;
  else if (key === "p") choice.sort = "packets";
  else if (key === "b") choice.sort = "bytes";
  else if (key === "f") choice.typed = choice.filter;
}

function typeFilter(choice: TopChoice, typed: string, key: string): void {
  if (key === "\r" || key === "\n") {
    choice.filter = typed;
    choice.typed = undefined;
  } else if (key === ESCAPE) choice.typed = undefined;
  else if (BACKSPACES.has(key)) choice.typed = typed.slice(0, -1);
  else if (key >= " " && !key.startsWith(ESCAPE)) choice.typed = typed + key;
}
