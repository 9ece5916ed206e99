import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Command } from "commander";
import { COMMANDS } from "../../src/cli/command-table.ts";
import { programOf } from "../../src/cli/program.ts";
import { textOf } from "../source.ts";
import { onTerminal } from "./on-terminal.ts";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

/** Programs of their own: they print their help themselves. */
const OTHERS = ["dpctl", "bench"] as const;

/** A command with its name in full. */
type Named = { readonly path: string; readonly command: Command };

function all(path: string, command: Command): Named[] {
  const below = command.commands.filter((known) => known.name() !== "help");
  return [{ path, command }, ...below.flatMap((known) => all(`${path} ${known.name()}`, known))];
}

const found: Named[] = [];
for (const name of Object.keys(COMMANDS)) {
  const program = await programOf([name], COMMANDS);
  const command = program.commands.find((known) => known.name() === name);
  if (command === undefined) throw new Error(`${name} is not there`);
  if (!OTHERS.some((other) => other === name)) found.push(...all(`millrace ${name}`, command));
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (piece) => void (text += piece) });
  command.outputHelp();
  return text;
}

/** The lines below `Examples:`. */
function examplesIn(help: string): string[] {
  const lines = help.split("\n");
  const from = lines.indexOf("Examples:") + 1;
  if (from === 0) return [];
  const end = lines.findIndex((line, i) => i >= from && !line.startsWith("  "));
  return lines.slice(from, end < 0 ? undefined : end).map((line) => line.trim());
}

describe.each(found)("the help of $path", ({ path, command }) => {
  const help = helpOf(command);

  test("names what is to be given in one style", () => {
    const names = [
      ...command.registeredArguments.map((argument) => argument.name()),
      ...command.options.flatMap(({ flags }) =>
        [...flags.matchAll(/[<[]([^\]>]+)/g)].map(([, name = ""]) => name),
      ),
    ];
    for (const name of names) expect(name).toMatch(/^[A-Z][A-Z=.]*$/);
    expect(help).toStartWith(`Usage: ${path} `);
    expect(help).not.toMatch(/\[options\]|\[command\]/);
    expect(help.split("\n").filter((line) => line.length > 100)).toEqual([]);
  });

  test("says what the command does, in a sentence for a command, in words for a part of one", () => {
    const isWhole = path.split(" ").length === 2;
    expect(command.description()).toMatch(isWhole ? /^[A-Z].*\.$/ : /^[a-z].*[^.]$/);
  });

  test("has examples, of options that there are", async () => {
    const examples = examplesIn(help);
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.some((line) => line.includes(path))).toBe(true);
    for (const line of examples) for (const words of calls(line)) await parse(words);
  });
});

test("whoever reads of the lab is told that its commands see the disk, and how to keep them from it", () => {
  const pages = ["README.md", "docs/lab.md"].map((name) => textOf(name));
  const helps = found.filter(({ path }) => /^millrace lab (?:run|shell)$/.test(path));
  expect(helps.length).toBe(2);
  for (const text of [...pages, ...helps.map(({ command }) => helpOf(command))]) {
    expect(text.replaceAll(/\s+/g, " ")).toMatch(
      /sees the host's disk,? with (?:your|the caller's) (?:rights|privileges)/,
    );
    expect(text).toContain("--read-only");
  }
});

/** The arguments of each call of millrace in a line of a shell. */
function calls(line: string): string[][] {
  const parts: string[][] = [[]];
  let isRead = true;
  for (const [, quoted, bare = ""] of line.matchAll(/'([^']*)'|(\S+)/g)) {
    if (bare.startsWith("#")) break;
    if (["|", "&&"].includes(bare)) {
      parts.push([]);
      isRead = true;
    } else if (["<", ">"].includes(bare)) isRead = false;
    else if (isRead) parts.at(-1)?.push(quoted ?? bare);
  }
  return parts.filter(([program]) => program === "millrace").map((words) => words.slice(1));
}

/** Parses a command line and runs nothing. */
async function parse(words: readonly string[]): Promise<void> {
  const program = await programOf(words[0] === "help" ? words.slice(1) : words, COMMANDS);
  const run = all("millrace", program);
  for (const { command } of run) command.action(() => undefined);
  await program.parseAsync(words[0] === "help" ? words.slice(1) : words, { from: "user" });
}

describe("millrace help", () => {
  const help = (...args: readonly string[]): string => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([MILLRACE, ...args]);
    return `${exitCode} ${stdout.toString()}${stderr.toString()}`;
  };

  test.each(["load", "lab run", "dpctl", "bench"])("help %s: as --help", (name) => {
    const words = name.split(" ");
    const shown = help("help", ...words);
    expect(shown).toStartWith("0 ");
    expect(shown).toBe(help(...words, "--help"));
    expect(shown).toContain("Examples:\n  millrace ");
  });

  test("fits a terminal of 80 columns, command by command; so does no command at all", () => {
    for (const shown of [help(), help("--help")]) {
      for (const [name, { summary }] of Object.entries(COMMANDS)) {
        const line = shown.split("\n").find((known) => known.startsWith(`  ${name} `)) ?? "";
        expect(line).toEndWith(summary);
        expect(line.length).toBeLessThanOrEqual(80);
      }
    }
  });

  test("is filled anew on a narrow terminal, where examples stay whole to be copied", async () => {
    const terminal = onTerminal([MILLRACE, "help", "dump"]);
    expect(await terminal.ended).toBe(0);
    const lines = terminal.text.split(/\r?\n/);
    const prose = lines.filter((line) => !line.startsWith("  "));
    expect(prose.filter((line) => line.length > 80 || /^ | $/.test(line))).toEqual([]);
    expect(lines).toContain(
      "(with --json, one object per line). FIELDS are those of --where, and 'actions',",
    );
    expect(lines).toContain(
      "  millrace dump --dp lab0 --format msgpack > flows.set && millrace load flows.set --dp lab1",
    );
  });

  test("alone it is the help of all", () => {
    const shown = help("help");
    expect(shown).toBe(help("--help"));
    for (const name of Object.keys(COMMANDS)) expect(shown).toContain(`\n  ${name} `);
  });

  test("of what is no command it is an error", () => {
    expect(help("help", "lodd")).toBe(
      "2 millrace: unknown command 'lodd'\n(Did you mean load?)\n(see 'millrace --help')\n",
    );
  });
});
