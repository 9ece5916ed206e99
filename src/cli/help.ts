import { type Command, type CommanderError, Help } from "commander";
import { writeOut } from "./output.ts";

/** Lines of help are no longer than this, nor than the terminal is wide. */
const COLUMNS = 100;

const HELP = new Help();

// What stands below the options is made for a wide terminal.
function fitting(text: string): string {
  const { columns } = process.stdout;
  return columns === undefined ? text : Bun.wrapAnsi(text, columns, { trim: false });
}

/** Adds examples to the end of a command's help. @returns the command */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  const lines = examples.map((line) => `  ${line}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Gives the help of a command the one look, and leaves its errors to who runs it. */
export function inHouseStyle(command: Command): Command {
  return command
    .configureOutput({
      outputError: () => undefined,
      writeOut: (text) => writeOut(fitting(text)),
      getOutHelpWidth: () => Math.min(COLUMNS, process.stdout.columns ?? COLUMNS),
    })
    .configureHelp({
      commandUsage: (shown) =>
        HELP.commandUsage(shown).replace("[options]", "[OPTIONS]").replace("[command]", "COMMAND"),
      subcommandTerm: (shown) => HELP.subcommandTerm(shown).replace(" [options]", ""),
    });
}

/** What is wrong with a command line; undefined where help or the version was asked for, or is all there is to say. */
export function usageFault({ code, exitCode, message }: CommanderError): string | undefined {
  return exitCode === 0 || code === "commander.help" ? undefined : message.replace(/^error: /, "");
}
