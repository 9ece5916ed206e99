import { Command, CommanderError } from "commander";
import { FlowSyntaxError } from "../flow/text/syntax-error.ts";
import { LabError } from "../lab/error.ts";
import { MillraceError } from "../sys/errors.ts";
import { excerpt } from "./excerpt.ts";
import { Exit, exitStatusOf } from "./exit.ts";

/** A command by name: what it does in a line, and how to get it. */
export type CommandTable = Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<() => Command> }>
>;

const HELP_AFTER = `
Exit status: 0 all applied; 1 some flows rejected or refused; 2 usage or unreadable input;
3 no permission, no module, no such datapath, or one that ovs-vswitchd runs; 4 interrupted;
5 an internal error, or outcomes that stayed unknown; 125 the lab failed. 'millrace COMMAND --help' tells more of each command.

Environment: MILLRACE_TRACE=netlink prints every netlink message that is sent or received to standard error, decoded.`;

/** Runs the command that `args` names. @returns the exit status */
export async function runProgram(args: readonly string[], commands: CommandTable): Promise<number> {
  const program = new Command("millrace")
    .description("Programs flows into the Open vSwitch kernel datapath.")
    .usage("COMMAND [ARGUMENTS]")
    .option("-V, --version", "print the version")
    .helpCommand(false)
    .enablePositionalOptions()
    .addHelpText("after", HELP_AFTER);
  const named = args.find((arg) => !arg.startsWith("-"));
  const entry = named !== undefined && Object.hasOwn(commands, named) ? commands[named] : undefined;
  if (entry !== undefined) {
    program.addCommand((await entry.load())());
  } else {
    for (const [name, { summary }] of Object.entries(commands)) {
      program.addCommand(new Command(name).description(summary).usage(""));
    }
  }
  throwInsteadOfExit(program, "millrace");
  process.exitCode = Exit.ok;
  try {
    await program.parseAsync(args, { from: "user" });
    return process.exitCode;
  } catch (error) {
    return statusOfFailure(error);
  }
}

// Every subcommand reports its usage errors the same way, and leaves the exit to main.
function throwInsteadOfExit(command: Command, path: string): void {
  command
    .exitOverride()
    .showHelpAfterError(`(see '${path} --help')`)
    .configureHelp({ helpWidth: 100 });
  for (const subcommand of command.commands) {
    throwInsteadOfExit(subcommand, `${path} ${subcommand.name()}`);
  }
}

function statusOfFailure(error: unknown): number {
  // commander has printed its message; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage;
  if (error instanceof LabError) console.error(`lab: ${error.message}`);
  else if (error instanceof FlowSyntaxError) {
    const { message, text, caretAt: caret } = error;
    process.stderr.write(`millrace: ${message}\n${excerpt({ text, caret })}`);
  } else if (error instanceof MillraceError) console.error(`millrace: ${error.message}`);
  else console.error("millrace: internal error:", error);
  return exitStatusOf(error);
}
