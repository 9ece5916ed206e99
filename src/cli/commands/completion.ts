import { Command, Option } from "commander";
import { completionScript, FILES_LINE, SHELLS } from "../completion/scripts.ts";
import { UsageError } from "../exit.ts";
import { printJson, writeOut } from "../output.ts";
import type { CommandTable } from "../program.ts";

// `millrace completion`: the script for a shell, and the words that the script asks for.

const HELP_AFTER = `
Examples:
  eval "$(millrace completion bash)"          in ~/.bashrc
  eval "$(millrace completion zsh)"           in ~/.zshrc, after compinit
  millrace completion fish | source           in ~/.config/fish/config.fish`;

/** `millrace completion`. @param table the commands to complete */
export function completionCommand(table: CommandTable): Command {
  return new Command("completion")
    .description("Print a script that lets a shell complete millrace's commands.")
    .argument("[SHELL...]", `one of ${SHELLS.join(", ")}`)
    .option("--json", "the script in a JSON document")
    .addOption(new Option("--words", "print what completes the words after --").hideHelp())
    .addHelpText("after", HELP_AFTER)
    .action(async (args: string[], options: { words?: true; json?: true }) => {
      if (options.words) await printWords(table, args);
      else printScript(args, options.json === true);
    });
}

function printScript(args: readonly string[], json: boolean): void {
  const shell = SHELLS.find((known) => known === args[0]);
  if (shell === undefined || args.length > 1) {
    const found = args.length === 0 ? "nothing" : `"${args.join(" ")}"`;
    throw new UsageError(`found ${found}, expected one of ${SHELLS.join(", ")}`);
  }
  const script = completionScript(shell);
  if (json) printJson({ shell, script });
  else writeOut(script);
}

async function printWords(table: CommandTable, words: readonly string[]): Promise<void> {
  const { complete } = await import("../completion/words.ts");
  const { candidates, files } = await complete(table, words);
  const lines = candidates.map(({ word, description }) => `${word}\t${description}`);
  if (files) lines.push(FILES_LINE);
  if (lines.length > 0) writeOut(`${lines.join("\n")}\n`);
}
