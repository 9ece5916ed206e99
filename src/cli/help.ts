import { type Command, type CommanderError, Help } from "commander";
import { fitted } from "./columns.ts";
import { writeError, writeOut } from "./output.ts";

/** The maximum length of a line of help, unless the terminal is narrower. */
const COLUMNS = 100;

const HELP = new Help();

// The text below the options is written for a wide terminal: its paragraphs are filled anew.
function fitting(text: string): string {
  const { columns } = process.stdout;
  if (columns === undefined || columns >= COLUMNS) return text;
  return fitted(text.replaceAll(/(?<=^\S.*)\n(?=\S)/gm, " "), columns);
}

/** Adds examples to the end of a command's help. @returns the command */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  const lines = examples.map((line) => `  ${line}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Gives the help of a command the common style, and lets it throw its errors. */
export function inHouseStyle(command: Command): Command {
  return command
    .configureOutput({
      outputError: () => undefined,
      writeOut: (text) => writeOut(fitting(text)),
      writeErr: (text) => writeError(fitting(text)),
      getOutHelpWidth: () => Math.min(COLUMNS, process.stdout.columns ?? COLUMNS),
      getErrHelpWidth: () => Math.min(COLUMNS, process.stderr.columns ?? COLUMNS),
    })
    .configureHelp({
      commandUsage: (shown) =>
        HELP.commandUsage(shown).replace("[options]", "[OPTIONS]").replace("[command]", "COMMAND"),
      subcommandTerm: (shown) => HELP.subcommandTerm(shown).replace(" [options]", ""),
    });
}

/**
 * What is wrong with a command line; undefined if help or the version was requested, or was printed
 * instead.
 */
export function usageFault({ code, exitCode, message }: CommanderError): string | undefined {
  if (exitCode === 0 || code === "commander.help") return undefined;
  const fault = message.replace(/^error: /, "");
  const [, option = "", value = ""] = MISSING_OPTION.exec(fault) ?? [];
  if (option === "--dp") return `--dp ${value} is missing: 'millrace dp list' shows the datapaths`;
  return option === "" ? fault : `${option} ${value} is missing`;
}

/** What commander says of an option that must be given, such as `-o, --output <FILE>`. */
const MISSING_OPTION = /^required option '(?:-\w, )?(--[\w-]+) <(\w+)>' not specified$/;
