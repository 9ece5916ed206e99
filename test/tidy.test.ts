import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { FILES, filesIn, importsOf, ROOT, textOf } from "./source.ts";

/** Files that no other file imports or starts: a person does, or who uses the package, or a test that writes docs. */
const ENTRIES: readonly string[] = [
  "src/index.ts",
  "src/netlink/index.ts",
  "src/testing/index.ts",
  "src/cli/main.ts",
  "src/flow/reference.ts",
  "bench/lab/misses.ts",
];

const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const PARAMETERS_MAX = 6;

/**
 * Functions with more parameters. All are called per attribute, value or message, where an options
 * object would be allocated each time.
 */
const MANY_PARAMETERS: readonly string[] = ["src/flow/shape/shape.ts readNumber"];

test("every file is imported or started by another one", () => {
  const wanted = new Set(ENTRIES);
  for (const file of FILES) {
    for (const path of importsOf(file)) wanted.add(path);
    // Scripts and threads are named by their path: from the root, or from the file that starts them.
    for (const [, path = ""] of textOf(file).matchAll(/"([^"\s]+\.ts)"/g))
      wanted.add(path).add(normalize(join(file, "..", path)));
  }
  expect(FILES.filter((file) => !wanted.has(file))).toEqual([]);
});

/** The names that a file declares and exports. */
function exportsOf(file: string): string[] {
  const declared = textOf(file).matchAll(
    /^export (?:async )?(?:abstract )?(?:function\*?|const|let|class|type) (\w+)/gm,
  );
  return Array.from(declared, ([, name = ""]) => name);
}

/** The imports of a file, as `path name`, or as `path *` for a whole module. */
function usesOf(file: string): string[] {
  const text = textOf(file);
  const used: string[] = [];
  const take = (path: string, names: Iterable<string>): void => {
    for (const name of names) used.push(`${normalize(join(file, "..", path))} ${name}`);
  };
  const listed = (names: string): string[] =>
    names.split(",").map((name) => name.replace(/^\s*(?:type )?(\w*).*$/s, "$1"));
  for (const [, names = "", path = ""] of text.matchAll(/\{([^{}]*)\} from "(\.[^"]+)"/g))
    take(path, listed(names));
  for (const [, names = "", path = ""] of text.matchAll(
    /\{([^{}]*)\}(?:: typeof import\([^)]*\))? =\s*(?:await import|require)\(\s*"(\.[^"]+)"/g,
  ))
    take(path, listed(names));
  for (const [, path = "", name = "*"] of text.matchAll(
    /(?<!\}(?:: typeof import\([^)]*\))? =\s*)await import\("(\.[^"]+)"\)(?:\)\.(\w+))?/g,
  ))
    take(path, [name]);
  for (const [, alias = "", path = ""] of text.matchAll(/import \* as (\w+) from "(\.[^"]+)"/g)) {
    const uses = text.matchAll(new RegExp(`\\b${alias}\\b(?! from)(?:\\.(\\w+))?`, "g"));
    take(
      path,
      Array.from(uses, ([, name = "*"]) => name),
    );
  }
  return used;
}

test("every export is used by another file", () => {
  const users = [...FILES, ...["test", ".ci/pack", ".ci/docs", "docs/examples"].flatMap(filesIn)];
  const used = new Set(users.flatMap(usesOf));
  const unused = FILES.filter((file) => !used.has(`${file} *`)).flatMap((file) =>
    exportsOf(file)
      .map((name) => `${file} ${name}`)
      .filter((name) => !used.has(name)),
  );
  expect(used.size).toBeGreaterThan(1000);
  expect(unused).toEqual([]);
});

type Diagnostic = {
  readonly code: string;
  readonly filename: string;
  readonly message: string;
  readonly labels: readonly { readonly span: { readonly line: number; readonly column: number } }[];
};

/** The linter's findings with special limits: it knows where a function ends. */
function overLimits(): readonly Diagnostic[] {
  const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
  const config = join(folder, "limits.json");
  const rules = {
    "max-lines": ["error", { max: LINES_MAX }],
    "max-lines-per-function": ["error", { max: FUNCTION_LINES_MAX }],
    "max-params": ["error", { max: PARAMETERS_MAX }],
  };
  writeFileSync(config, JSON.stringify({ plugins: [], rules }));
  const command = ["node_modules/.bin/oxlint", "-c", config, "--format", "json", "src", "bench"];
  const { stdout } = Bun.spawnSync(command, { cwd: ROOT, stderr: "inherit" });
  rmSync(folder, { recursive: true });
  const report: { diagnostics: Diagnostic[]; number_of_files: number } = JSON.parse(
    stdout.toString(),
  );
  expect(report.number_of_files).toBeGreaterThanOrEqual(FILES.length);
  return report.diagnostics;
}

/** The function whose parameters a diagnostic is about: its name stands before them. */
function functionOf({ filename, labels }: Diagnostic): string {
  const { line = 0, column = 0 } = labels[0]?.span ?? {};
  const lines = textOf(filename).split("\n");
  const before = lines[line - 1]?.slice(0, column - 1);
  return `${filename} ${/(#?\w+)(?:<.*>)?$/.exec(before ?? "")?.[1] ?? line}`;
}

test(`no file has more than ${LINES_MAX} lines, and no function more than ${FUNCTION_LINES_MAX}`, () => {
  const long = overLimits().filter(({ code }) => !code.includes("max-params"));
  expect(long.map(({ filename, message }) => `${filename}: ${message}`)).toEqual([]);
});

test(`no function has more than ${PARAMETERS_MAX} parameters, but for those that are named here`, () => {
  const many = overLimits().filter(({ code }) => code.includes("max-params"));
  expect(many.map(functionOf).toSorted()).toEqual([...MANY_PARAMETERS].toSorted());
});

test("every file begins with a sentence that says what it holds", () => {
  // Before its imports or behind them.
  const begin =
    /^(?:#!.*\n)?(?:(?:import|export) [^;]*;\n|\n|\/\/ oxlint-.*\n)*(?:\/\*([\s\S]*?)\*\/|((?:\/\/ .*\n)+))/;
  const without = FILES.filter((file) => {
    const [, block = "", lines = ""] = begin.exec(textOf(file)) ?? [];
    return !/\w+ \S+ .*[.:]\s/s.test(`${block}${lines}\n`);
  });
  expect(without).toEqual([]);
});
