import { Command } from "commander";
import { Exit } from "./exit.ts";
import { inHouseStyle, withExamples } from "./help.ts";

/** Commands by name: a summary in one line, and how to load the command. */
export type CommandTable = Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<() => Command> }>
>;

const HELP_AFTER = `
Exit status: 0 all applied; 1 some flows rejected or refused; 2 usage or unreadable input;
3 no permission, no module, no such datapath, or one that ovs-vswitchd runs; 4 interrupted;
5 an internal error, or unknown outcomes; 125 the lab failed.
'millrace help COMMAND' describes a command.

Environment: with MILLRACE_TRACE=netlink, every netlink message that is sent or received is decoded
and printed to standard error.`;

/** Runs the command that `args` names. @returns the exit status */
export async function runProgram(args: readonly string[], commands: CommandTable): Promise<number> {
  const words = helpAsOption(args, commands);
  const program = await programOf(words, commands);
  process.exitCode = Exit.ok;
  try {
    await program.parseAsync(words, { from: "user" });
    return process.exitCode;
  } catch (error) {
    const { endWith } = await import("./ending.ts");
    return endWith(error, program, words);
  }
}

/**
 * The command `millrace`, with the command that `args` name, or with the names and summaries of
 * all.
 */
export async function programOf(args: readonly string[], commands: CommandTable): Promise<Command> {
  const program = new Command("millrace")
    .description("Programs flows into the Open vSwitch kernel datapath.")
    .usage("COMMAND [ARGUMENTS]")
    .option("-V, --version", "print the version")
    .enablePositionalOptions()
    .addHelpText("after", HELP_AFTER);
  withExamples(
    program,
    "millrace help load",
    "millrace demo",
    "millrace lab shell",
    "millrace load flows.txt --dp lab0",
  );
  const named = args.find((arg) => !arg.startsWith("-"));
  const entry = named !== undefined && Object.hasOwn(commands, named) ? commands[named] : undefined;
  if (entry !== undefined) {
    program.addCommand((await entry.load())());
  } else {
    for (const [name, { summary }] of Object.entries(commands)) {
      program.addCommand(new Command(name).description(summary).usage(""));
    }
  }
  configure(program);
  program.helpCommand("help [COMMAND...]", "describe a command, with examples");
  return program;
}

// Turns `help load` into `load --help`; an unknown command is an error.
function helpAsOption(args: readonly string[], commands: CommandTable): readonly string[] {
  const [first, ...rest] = args;
  if (first !== "help") return args;
  const [named] = rest;
  if (named !== undefined && !named.startsWith("-") && !Object.hasOwn(commands, named)) return rest;
  return [...rest, "--help"];
}

// Makes every subcommand throw instead of printing errors and exiting.
function configure(command: Command): void {
  inHouseStyle(command).exitOverride();
  if (command.commands.length > 0)
    command.helpCommand("help [COMMAND]", "describe one of these commands");
  for (const subcommand of command.commands) configure(subcommand);
}
