import { isatty } from "../sys/libc.ts";

// What is behind standard input and output, and what it can do.

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a terminal is behind a descriptor that knows how to move its cursor. */
export function canDraw(fd: number, env: Environment = process.env): boolean {
  return env["TERM"] !== "dumb" && isatty(fd);
}

/**
 * Whether output is coloured. NO_COLOR forbids it, whatever it holds; then FORCE_COLOR decides, of which 0 and false
 * mean no; then the output, which has to be a terminal that can do it.
 */
export function isColoured(fd: number, env: Environment = process.env): boolean {
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  const force = env["FORCE_COLOR"] ?? "";
  return force === "" ? canDraw(fd, env) : force !== "0" && force !== "false";
}

const STANDARD_INPUT = 0;

/** Whether a person types the input of a command: it is `-`, and behind that is a terminal. */
export function isTyped(path: string): boolean {
  return path === "-" && isatty(STANDARD_INPUT);
}
