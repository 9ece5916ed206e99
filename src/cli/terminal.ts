import { isatty } from "../sys/libc.ts";

// What kind of terminal standard input and output are, and its abilities.

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a descriptor is a terminal that can move its cursor. */
export function canDraw(fd: number, env: Environment = process.env): boolean {
  return env["TERM"] !== "dumb" && isatty(fd);
}

/**
 * Whether output is coloured. NO_COLOR forbids it, whatever its value; otherwise FORCE_COLOR
 * decides, where 0 and false mean no; otherwise the output must be a terminal with colours.
 */
export function isColoured(fd: number, env: Environment = process.env): boolean {
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  const force = env["FORCE_COLOR"] ?? "";
  return force === "" ? canDraw(fd, env) : force !== "0" && force !== "false";
}

const STANDARD_INPUT = 0;

/** Whether a user types the input of a command: it is `-`, and standard input is a terminal. */
export function isTyped(path: string): boolean {
  return path === "-" && isatty(STANDARD_INPUT);
}
