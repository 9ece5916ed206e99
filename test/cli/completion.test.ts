import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { millrace } from "../kernel/program.ts";
import { describeUnless, lacks, testUnless } from "../runner/skip.ts";

const program = join(import.meta.dir, "../../src/cli/millrace");

function run(...command: readonly string[]): string {
  const child = Bun.spawnSync([...command], { stdout: "pipe", stderr: "pipe" });
  expect(child.stderr.toString()).toBe("");
  return child.stdout.toString();
}

function words(...line: readonly string[]): string[] {
  const { stdout, stderr } = millrace(["completion", "--words", "--", ...line]);
  expect(stderr).toBe("");
  return stdout
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => text.split("\t")[0] ?? "");
}

describe("the words that complete a line", () => {
  test("come from the commands themselves", () => {
    expect(words("")).toContain("load");
    expect(words("lo")).toEqual(["load"]);
    expect(words("nonsense", "")).toEqual([]);
    expect(words("dp", "")).toEqual(["add", "del", "set", "list", "show"]);
    expect(words("load", "--trans")).toEqual(["--transport"]);
    expect(words("load", "--transport", "s")).toEqual(["sendmmsg", "send"]);
    expect(words("load", "--transport", "send", "--dry")).toEqual(["--dry-run"]);
    expect(words("load", "")).toEqual([":files"]);
    expect(words("hel")).toEqual(["help"]);
    expect(words("help", "lo")).toEqual(["load"]);
    expect(words("help", "lab", "")).toEqual(["run", "shell", "list", "clean"]);
    expect(words("help", "load", "")).toEqual([]);
    expect(words("help", "load", "--")).toEqual([]);
    expect(words("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(words("load", "--transport=sen")).toEqual(["--transport=sendmmsg", "--transport=send"]);
    expect(words("load", "--errors=fl")).toEqual([":files"]);
    expect(words("load", "--transport=send", "--dry")).toEqual(["--dry-run"]);
    expect(words("dpctl", "-m", "dump-f")).toEqual(["dump-flows"]);
    expect(words("dpctl", "--re")).toEqual(["--read-only"]);
  });

  test("every option of load's help is among them", () => {
    const help = run(program, "load", "--help");
    const options = [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, name]) => name ?? "");
    expect(options.length).toBeGreaterThan(10);
    expect(words("load", "--").toSorted()).toEqual(options.toSorted());
  });
});

describeUnless(lacks("bash"))("bash", () => {
  test("completes commands, options, values and files for real", () => {
    const folder = mkdtempSync(join(tmpdir(), "completion-"));
    try {
      symlinkSync(program, join(folder, "millrace"));
      writeFileSync(join(folder, "flows one.txt"), "");
      // What bash does at a tab: it fills COMP_WORDS, calls the function, reads COMPREPLY.
      const script = `
        cd ${folder}; PATH=${folder}:$PATH
        eval "$(millrace completion bash)"
        complete -p millrace
        at() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _millrace; printf '%s\\n' "\${COMPREPLY[@]}" | sort | tr '\\n' '|'; echo; }
        at millrace dum
        at millrace load --transport se
        at millrace load flo
        at millrace load --on-error = st
        at millrace load --transport =
        at millrace load --on-error ''
        at millrace load --errors = flo
        at millrace load --errors =
        at millrace load --errors = none
        COMP_WORDBREAKS=\${COMP_WORDBREAKS//=}
        at millrace load --errors=flo
        at millrace load --on-error=st`;
      expect(run("bash", "--norc", "-c", script).split("\n")).toEqual([
        "complete -F _millrace millrace",
        "dump|",
        "send|sendmmsg|",
        "flows one.txt|",
        "stop|",
        "send|sendmmsg|writev|",
        "continue|rollback|stop|",
        "flows one.txt|",
        "flows one.txt|millrace|",
        "|",
        "--errors=flows one.txt|",
        "--on-error=stop|",
        "",
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const LINES = [
  ["dum"],
  ["load", "--transport", "se"],
  ["load", "--transport=se"],
  ["load", "flo"],
  ["load", "--on-error", ""],
  ["load", "--errors=flo"],
] as const;

// What each shell shows for these lines, the descriptions left out.
const SHOWN = [
  ["dump"],
  ["send", "sendmmsg"],
  ["--transport=send", "--transport=sendmmsg"],
  ["flows one.txt"],
  ["continue", "stop"],
  ["--errors=flows one.txt"],
];

/** Runs a script in a folder with one file in it, with millrace on the path. */
function inFolder(shell: readonly string[], script: string): string[][] {
  const folder = mkdtempSync(join(tmpdir(), "completion-"));
  try {
    symlinkSync(program, join(folder, "millrace"));
    writeFileSync(join(folder, "flows one.txt"), "");
    writeFileSync(join(folder, "script"), script);
    const child = Bun.spawnSync([...shell, join(folder, "script")], {
      cwd: folder,
      env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
    });
    expect(child.stderr.toString()).toBe("");
    const parts = child.stdout.toString().split("==\n").slice(0, -1);
    return parts.map((part) => part.trim().split("\n").toSorted());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

testUnless(lacks("fish"))("fish completes for real", () => {
  const lines = LINES.map((line) => `complete -C "millrace ${line.join(" ")}"; echo ==`);
  const script = `millrace completion fish | source\n${lines.join("\n")}\n`;
  const shown = inFolder(["fish", "--no-config"], script);
  expect(shown.map((part) => part.map((text) => text.split("\t")[0] ?? ""))).toEqual(SHOWN);
});

testUnless(lacks("zsh"))("zsh asks and understands the answer", () => {
  // Its widgets want a terminal: what the function gives to them is shown.
  const script = `
    compdef() { : }
    _describe() { local -a all; all=("\${(@P)2}"); print -rl -- "\${all[@]%%:*}" }
    compset() { before="\${words[CURRENT]%%=*}=" }
    _files() { local name; for name in *one*; do print -r -- "$before$name"; done }
    eval "$(millrace completion zsh)"
    at() { words=("$@"); CURRENT=$#; before=; _millrace; echo "==" }
    ${LINES.map((line) => `at millrace ${line.map((word) => `'${word}'`).join(" ")}`).join("\n")}
  `;
  expect(inFolder(["zsh", "-f"], script)).toEqual(SHOWN);
});

test.each(["zsh", "fish"])(
  "the script for %s is one that the shell reads, where it is here",
  (shell) => {
    const script = run(program, "completion", shell);
    expect(script).toContain("completion --words --");
    if (Bun.which(shell) === null) return;
    const folder = mkdtempSync(join(tmpdir(), "completion-"));
    try {
      writeFileSync(join(folder, "script"), script);
      run(shell, "-n", join(folder, "script"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
