import { isColoured } from "./terminal.ts";

// Colours for output to a terminal, and none for other output.

type Style = (text: string) => string;

/** The colours used in output. */
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

/** Whether this process colours its output. */
export const isPainted: boolean = isColoured(1);

/**
 * The colours of this process's output. The library is loaded only if output is coloured: most runs
 * are from scripts, and start faster. The library does not decide whether to colour: it takes
 * FORCE_COLOR=0 for yes.
 */
export const colours: Colours = isPainted ? painted() : PLAIN;

function painted(): Colours {
  // No `await` at the top of the module: modules that import it could not be compiled beforehand.
  const { createColors }: typeof import("picocolors") = require("picocolors");
  return createColors(true);
}
