import { isatty } from "../sys/libc.ts";
import { writeError } from "./output.ts";

// Tells whether a person types the input of a command.

const STANDARD_INPUT = 0;

/** Whether flows are typed: the input is `-`, and behind it is a terminal. */
export function isTyped(path: string): boolean {
  return path === "-" && isatty(STANDARD_INPUT);
}

/** Says that flows are to be typed: otherwise a command seems to hang. */
export function askForFlows(): void {
  writeError("reading flows from this terminal, one a line; Ctrl-D ends them\n");
}
