import { isatty } from "../sys/libc.ts";

// Colours for people, and none where output is no terminal.

type Style = (text: string) => string;

/** The colours that output is in: plain where standard output is no terminal, or NO_COLOR is set. */
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

// The library is loaded only where it paints: most runs are from scripts, and start faster.
const painted = isatty(1) || (process.env["FORCE_COLOR"] ?? "") !== "";

/** The colours of this process's output. */
export const colours: Colours = painted ? (await import("picocolors")).default : PLAIN;
