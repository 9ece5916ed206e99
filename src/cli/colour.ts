import { isColoured } from "./terminal.ts";

// Colours for people, and none where output is no terminal.

type Style = (text: string) => string;

/** The colours that output is in. */
type Colours = {
  readonly red: Style;
  readonly green: Style;
  readonly yellow: Style;
  readonly cyan: Style;
  readonly dim: Style;
  readonly bold: Style;
};

const plain: Style = (text) => text;
const PLAIN: Colours = {
  red: plain,
  green: plain,
  yellow: plain,
  cyan: plain,
  dim: plain,
  bold: plain,
};

/** Whether this process's output is coloured. */
export const isPainted: boolean = isColoured(1);

/**
 * The colours of this process's output. The library is loaded only where it paints: most runs are from scripts, and
 * start faster. It decides nothing itself: to it FORCE_COLOR=0 is yes.
 */
export const colours: Colours = isPainted ? painted() : PLAIN;

function painted(): Colours {
  // Not an `await` at the top of the module: what imports it could not be compiled beforehand.
  const { createColors }: typeof import("picocolors") = require("picocolors");
  return createColors(true);
}
