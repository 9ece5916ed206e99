import { type Command, CommanderError } from "commander";
import { FlowSyntaxError } from "../flow/text/syntax-error.ts";
import { LabError } from "../lab/error.ts";
import { MillraceError } from "../sys/errors.ts";
import { excerpt } from "./excerpt.ts";
import { Exit, exitStatusOf, UsageError } from "./exit.ts";
import { usageFault } from "./help.ts";
import { complain, writeError } from "./output.ts";
import { systemErrorText } from "./system-error.ts";
import { isColoured } from "./terminal.ts";

// Reports the error that ended a command. Loaded only then.

/**
 * Reports what went wrong with the command line `words` of `program`; nothing if help or the
 * version was requested.
 * @returns the exit status
 */
export function endWith(error: unknown, program: Command, words: readonly string[]): number {
  tell(error, namedBy(program, words));
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage;
  return exitStatusOf(error);
}

/** The command of a line, or its subcommand, with its name in full: `millrace lab run`. */
type Named = { readonly command: Command; readonly path: string };

function namedBy(program: Command, words: readonly string[]): Named {
  let command = program;
  const path = [program.name()];
  for (const word of words) {
    if (word.startsWith("-")) continue;
    const next = command.commands.find((known) => known.name() === word);
    if (next === undefined) break;
    command = next;
    path.push(word);
  }
  return { command, path: path.join(" ") };
}

function tell(error: unknown, { command, path }: Named): void {
  const hint = `(see '${path} --help')\n`;
  if (error instanceof CommanderError) {
    const fault = usageFault(error);
    if (fault === undefined) return;
    complain(fault + ofDpctl(fault) + ofDatapath(error, command));
    writeError(hint);
  } else if (error instanceof FlowSyntaxError) {
    const { message, text, caretAt: caret } = error;
    complain(message);
    writeError(excerpt({ text, caret }, process.stderr.columns));
  } else if (error instanceof MillraceError || error instanceof LabError) {
    complain(error.message);
    if (error instanceof UsageError) writeError(hint);
  } else {
    complain(systemErrorText(error) ?? `internal error: ${inspected(error)}`);
  }
}

/** For a command of ovs-dpctl's: where it is here. */
function ofDpctl(fault: string): string {
  const [, name = ""] = /^unknown command '([\w-]+)'/.exec(fault) ?? [];
  if (!name.includes("-")) return "";
  const { COMMANDS }: typeof import("./dpctl/commands.ts") = require("./dpctl/commands.ts");
  return COMMANDS.some((known) => known.name === name)
    ? `; ovs-dpctl's is 'millrace dpctl ${name}'`
    : "";
}

/** For too many arguments: ovs-dpctl takes the datapath as one. */
function ofDatapath({ code }: CommanderError, { options }: Command): string {
  const isOption = options.some(({ long }) => long === "--dp");
  return code === "commander.excessArguments" && isOption
    ? " The datapath is named by --dp NAME"
    : "";
}

function inspected(error: unknown): string {
  return Bun.inspect(error, { colors: isColoured(2) });
}
