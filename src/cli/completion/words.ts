import type { Argument, Command, Option } from "commander";
import { listDatapaths } from "../../ovs/datapath.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { MillraceError } from "../../sys/errors.ts";
import { COMMANDS as DPCTL_COMMANDS } from "../dpctl/commands.ts";
import { SHELLS } from "./scripts.ts";
import type { CommandTable } from "../program.ts";

/** A word that may stand at the cursor, and what it is. */
export type Candidate = { readonly word: string; readonly description: string };

/** What may stand at the cursor. */
export type Completion = {
  readonly candidates: readonly Candidate[];
  /** Names of files may stand there as well. */
  readonly files: boolean;
};

/** How arguments and option values are called whose values are names of datapaths, or of files. */
const DATAPATH_NAMES = new Set(["NAME", "DP"]);
const FILE_NAMES = new Set(["FILE", "OUT", "OUT.HTML", "PATH"]);

/** Commands whose NAME is a datapath's; another command's may be a port's. */
const DATAPATH_COMMANDS = new Set(["dp"]);

const NOTHING: Completion = { candidates: [], files: false };

/**
 * What completes a command line, from the definitions of the commands themselves.
 * @param words the line's words after the program's name; the last one is at the cursor, maybe empty
 */
export async function complete(table: CommandTable, words: readonly string[]): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const found = await candidatesFor(table, before, current);
  const matching = found.candidates.filter(({ word }) => word.startsWith(current));
  return { candidates: matching, files: found.files };
}

async function candidatesFor(
  table: CommandTable,
  before: readonly string[],
  current: string,
): Promise<Completion> {
  const [name, ...rest] = before;
  if (name === undefined) {
    const options = ["--help", "--version"].map((word) => ({ word, description: "" }));
    if (current.startsWith("-")) return { candidates: options, files: false };
    return {
      candidates: Object.entries(table).map(([word, { summary }]) => ({
        word,
        description: summary,
      })),
      files: false,
    };
  }
  const entry = table[name];
  if (entry === undefined) return NOTHING;
  if (name === "dpctl") return completeDpctl(rest);
  return completeCommand((await entry.load())(), name, rest, current);
}

function completeCommand(
  top: Command,
  topName: string,
  words: readonly string[],
  current: string,
): Completion {
  let command = top;
  let waiting: Option | undefined;
  let positional = 0;
  for (const word of words) {
    if (waiting !== undefined) {
      waiting = undefined;
      continue;
    }
    // What follows belongs to another program.
    if (word === "--") return { candidates: [], files: true };
    if (word.startsWith("-")) {
      const option = optionNamed(command, word);
      if (option !== undefined && option.required && !word.includes("=")) waiting = option;
      continue;
    }
    const subcommand = command.commands.find((known) => known.name() === word);
    if (subcommand === undefined) positional++;
    else command = subcommand;
  }
  if (waiting !== undefined) return optionValues(waiting);
  if (current.startsWith("-")) return { candidates: optionsOf(command), files: false };
  if (command.commands.length > 0) {
    const candidates = command.commands.map((known) => ({
      word: known.name(),
      description: known.description(),
    }));
    return { candidates, files: false };
  }
  const declared = command.registeredArguments;
  const argument = declared[positional] ?? declared.findLast(({ variadic }) => variadic);
  return argument === undefined ? NOTHING : argumentValues(argument, topName);
}

function optionNamed(command: Command, word: string): Option | undefined {
  const [flag] = word.split("=");
  return command.options.find(({ long, short }) => long === flag || short === flag);
}

function optionsOf(command: Command): Candidate[] {
  const help = command.createHelp();
  return help.visibleOptions(command).flatMap(({ long, short, description }) => {
    const word = long ?? short;
    return word === undefined ? [] : [{ word, description }];
  });
}

function optionValues(option: Option): Completion {
  if (option.argChoices !== undefined) return choices(option.argChoices);
  const value = /[<[]([^\]>]+)[\]>]/.exec(option.flags)?.[1]?.toUpperCase() ?? "";
  if (option.long === "--dp") return { candidates: datapaths(), files: false };
  return { candidates: [], files: FILE_NAMES.has(value) };
}

function argumentValues(argument: Argument, topName: string): Completion {
  if (argument.argChoices !== undefined) return choices(argument.argChoices);
  const name = argument.name().toUpperCase();
  if (name === "SHELL") return choices(SHELLS);
  if (DATAPATH_NAMES.has(name) && DATAPATH_COMMANDS.has(topName)) {
    return { candidates: datapaths(), files: false };
  }
  return { candidates: [], files: FILE_NAMES.has(name) };
}

function choices(words: readonly string[]): Completion {
  return { candidates: words.map((word) => ({ word, description: "" })), files: false };
}

function completeDpctl(words: readonly string[]): Completion {
  if (words.every((word) => word.startsWith("-"))) {
    const candidates = DPCTL_COMMANDS.map(({ name, usage }) => ({
      word: name,
      description: usage,
    }));
    return { candidates, files: false };
  }
  const command = words.find((word) => !word.startsWith("-"));
  return { candidates: datapaths(), files: command?.endsWith("-flows") === true };
}

// Where datapaths cannot be listed there are none to choose from.
function datapaths(): Candidate[] {
  try {
    using channel = new OvsChannel();
    return listDatapaths(channel).map(({ name, stats }) => ({
      word: name,
      description: `${stats.flows} flows`,
    }));
  } catch (error) {
    if (error instanceof MillraceError) return [];
    throw error;
  }
}
