import type { Argument, Command, Option } from "commander";
import { openDatapath, listDatapaths } from "../../ovs/datapath.ts";
import { listPorts } from "../../ovs/vport.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { MillraceError } from "../../sys/errors.ts";
import { COMMANDS as DPCTL_COMMANDS } from "../dpctl/commands.ts";
import { OPTIONS } from "../dpctl/options.ts";
import { SHELLS } from "./scripts.ts";
import type { CommandTable } from "../program.ts";

/** A word that may stand at the cursor, and its description. */
type Candidate = { readonly word: string; readonly description: string };

/** What may stand at the cursor. */
type Completion = {
  readonly candidates: readonly Candidate[];
  /** Whether file names may also stand there. */
  readonly files: boolean;
};

/** The names of arguments and option values that are datapaths, or files. */
const DATAPATH_NAMES = new Set(["NAME", "DP"]);
const FILE_NAMES = new Set(["FILE", "OUT", "OUT.HTML", "PATH"]);

/** Commands whose NAME is an existing datapath, and those whose NAME is a port. */
const DATAPATH_COMMANDS = new Set(["dp del", "dp set", "dp show"]);
const PORT_COMMANDS = new Set(["port del", "port move"]);

/** Commands of dpctl whose arguments after the datapath are ports. */
const DPCTL_PORT_COMMANDS = new Set(["del-if", "set-if"]);

const NOTHING: Completion = { candidates: [], files: false };

/**
 * The completions of a command line, from the definitions of the commands.
 * @param words the line's words after the program's name; the last one is at the cursor, and may be
 * empty
 */
export async function complete(table: CommandTable, words: readonly string[]): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const found = await candidatesFor(table, before, current);
  const matching = found.candidates.filter(({ word }) => word.startsWith(current));
  return { candidates: matching, files: found.files };
}

/** Splits `--option=value`, for an option that takes a value. */
function joined(command: Command, current: string): { option: Option; start: string } | undefined {
  const equals = current.startsWith("--") ? current.indexOf("=") : -1;
  const option = equals < 0 ? undefined : optionNamed(command, current);
  if (option === undefined || !(option.required || option.optional)) return undefined;
  return { option, start: current.slice(0, equals + 1) };
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
      candidates: [
        ...Object.entries(table).map(([word, { summary }]) => ({ word, description: summary })),
        { word: "help", description: "what a command does and takes" },
      ],
      files: false,
    };
  }
  // Commands and subcommands have help; arguments and options do not.
  if (name === "help") {
    const found = await candidatesFor(table, rest, current);
    return {
      candidates: found.candidates.filter(({ word }) => !word.startsWith("-")),
      files: false,
    };
  }
  const entry = table[name];
  if (entry === undefined) return NOTHING;
  if (name === "dpctl") return completeDpctl(rest, current);
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
    // The words after `--` belong to another program.
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
  if (waiting !== undefined) return optionValues(waiting, words);
  const partial = joined(command, current);
  if (partial !== undefined) {
    const { candidates, files } = optionValues(partial.option, words);
    const full = candidates.map(({ word, description }) => ({
      word: partial.start + word,
      description,
    }));
    return { candidates: full, files };
  }
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
  return argument === undefined
    ? NOTHING
    : argumentValues(argument, `${topName} ${command.name()}`, words);
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

function optionValues(option: Option, words: readonly string[]): Completion {
  if (option.argChoices !== undefined) return choices(option.argChoices);
  if (option.long === "--port") return { candidates: ports(datapathOf(words)), files: false };
  const value = /[<[]([^\]>]+)[\]>]/.exec(option.flags)?.[1]?.toUpperCase() ?? "";
  if (option.long === "--dp") return { candidates: datapaths(), files: false };
  return { candidates: [], files: FILE_NAMES.has(value) };
}

function argumentValues(argument: Argument, command: string, words: readonly string[]): Completion {
  if (argument.argChoices !== undefined) return choices(argument.argChoices);
  const name = argument.name().toUpperCase();
  if (name === "SHELL") return choices(SHELLS);
  if (DATAPATH_NAMES.has(name) && DATAPATH_COMMANDS.has(command)) {
    return { candidates: datapaths(), files: false };
  }
  if (PORT_COMMANDS.has(command)) return { candidates: ports(datapathOf(words)), files: false };
  return { candidates: [], files: FILE_NAMES.has(name) };
}

function choices(words: readonly string[]): Completion {
  return { candidates: words.map((word) => ({ word, description: "" })), files: false };
}

function completeDpctl(words: readonly string[], current: string): Completion {
  if (current.startsWith("-")) return { candidates: dpctlOptions(), files: false };
  if (words.every((word) => word.startsWith("-"))) {
    const candidates = DPCTL_COMMANDS.map(({ name, usage }) => ({
      word: name,
      description: usage,
    }));
    return { candidates, files: false };
  }
  const [command = "", datapath] = words.filter((word) => !word.startsWith("-"));
  if (datapath !== undefined && DPCTL_PORT_COMMANDS.has(command)) {
    return { candidates: ports(datapath), files: false };
  }
  return { candidates: datapaths(), files: command.endsWith("-flows") };
}

function dpctlOptions(): Candidate[] {
  return OPTIONS.map(({ name }) => ({ word: `--${name}`, description: "" }));
}

function datapaths(): Candidate[] {
  return asked((channel) =>
    listDatapaths(channel).map(({ name, stats }) => ({
      word: name,
      description: `${stats.flows} ${stats.flows === 1 ? "flow" : "flows"}`,
    })),
  );
}

/** The ports of a datapath; none if the line does not name it yet. */
function ports(datapath: string | undefined): Candidate[] {
  if (datapath === undefined) return [];
  return asked((channel) =>
    listPorts(openDatapath(channel, datapath)).map(({ name, number, type }) => ({
      word: name,
      description: `port ${number}, ${type}`,
    })),
  );
}

/** The datapath that a line names with `--dp`. */
function datapathOf(words: readonly string[]): string | undefined {
  const joinedWord = words.findLast((word) => word.startsWith("--dp="));
  if (joinedWord !== undefined) return joinedWord.slice("--dp=".length);
  const at = words.lastIndexOf("--dp");
  return at < 0 ? undefined : words[at + 1];
}

// If the kernel cannot be asked, there are no candidates.
function asked(ask: (channel: OvsChannel) => Candidate[]): Candidate[] {
  try {
    using channel = new OvsChannel();
    return ask(channel);
  } catch (error) {
    if (error instanceof MillraceError) return [];
    throw error;
  }
}
