/**
 * The end of a run: one table of its parts, and its exit status. A part is a folder of
 * MILLRACE_TEST_RUN in which `part` has put bun's report and its exit status. Arguments are the
 * expected parts; a part that is missing, or has no report, has failed.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, readJunit } from "./junit.ts";

/** The results of a part. */
type Part = {
  readonly name: string;
  /** Bun's report; undefined if there is none. */
  readonly junit: string | undefined;
  /** Exit status of bun; undefined if it did not end. */
  readonly status: number | undefined;
  /** Why all of it was left out. */
  readonly skipped?: string | undefined;
  /** Files that must have run in it. */
  readonly files?: readonly string[];
};

type Row = {
  readonly name: string;
  passed: number;
  failed: number;
  seconds: number;
  /** How many tests were skipped, by why. */
  readonly skipped: Map<string, number>;
};

/** Ended by `timeout`. */
const TIMEOUT_STATUS = 124;

/**
 * The table of `parts`, and whether all is well. `complaints` are failures outside parts, of labs.
 */
export function tableOf(
  parts: readonly Part[],
  complaints: readonly string[] = [],
): { readonly text: string; readonly isGood: boolean } {
  const rows: Row[] = [];
  const failures: string[] = [];
  for (const part of parts) rows.push(...rowsOf(part, failures));
  if (complaints.length > 0) {
    rows.push({ ...emptyRow("the run"), failed: complaints.length });
    failures.push(...complaints);
  }
  const sum = (of: (row: Row) => number): number => rows.reduce((all, row) => all + of(row), 0);
  const [passed, failed, skipped] = [
    sum((row) => row.passed),
    sum((row) => row.failed),
    sum(skips),
  ];
  const lines = [
    ["part", "passed", "failed", "skipped", "seconds"],
    ...rows.map((row) => [
      row.name,
      ...[row.passed, row.failed, skips(row)].map((count) => (count === 0 ? "" : String(count))),
      row.seconds.toFixed(1),
    ]),
  ].map(
    ([name = "", ...columns]) => name.padEnd(24) + columns.map((text) => text.padStart(9)).join(""),
  );
  const whys = rows.map(({ skipped: by }) =>
    [...by].map(([why, count]) => (count === 1 ? why : `${count}: ${why}`)).join("; "),
  );
  const table = lines.map((line, i) => `${line}  ${whys[i - 1] ?? ""}`.trimEnd());
  const text = [
    ...table,
    ...failures.map((failure) => `FAILED  ${failure}`),
    `${passed} passed, ${failed} failed, ${skipped} skipped`,
  ].join("\n");
  return { text, isGood: failed === 0 && passed > 0 };
}

/** The rows of a part, one for each group of files. What failed is added to `failures`. */
function rowsOf(part: Part, failures: string[]): readonly Row[] {
  const own = emptyRow(part.name);
  if (part.skipped !== undefined) {
    own.skipped.set(part.skipped, 1);
    return [own];
  }
  const rows = new Map<string, Row>();
  const rowOf = (file: string): Row => {
    const name = part.files === undefined ? part.name : groupOf(file);
    let row = rows.get(name);
    if (row === undefined) rows.set(name, (row = emptyRow(name)));
    return row;
  };
  const fail = (row: Row, what: string): void => {
    row.failed++;
    failures.push(what);
  };
  let outcomes: readonly Outcome[] = [];
  try {
    if (part.junit === undefined) throw new Error(endOf(part.status));
    const results = readJunit(part.junit);
    outcomes = results.outcomes;
    for (const [file, seconds] of results.seconds) rowOf(file).seconds += seconds;
  } catch (error) {
    fail(own, `${part.name}: ${error instanceof Error ? error.message : String(error)}`);
    return [own];
  }
  for (const { file, name, state, reason } of outcomes) {
    const row = rowOf(file);
    if (state === "passed") row.passed++;
    else if (state === "failed") fail(row, `${file}: ${name}`);
    else if (reason === undefined) fail(row, `${file}: ${name}: skipped, and nobody says why`);
    else row.skipped.set(reason, (row.skipped.get(reason) ?? 0) + 1);
  }
  const ran = new Set(outcomes.map(({ file }) => file));
  for (const file of part.files ?? []) {
    if (!ran.has(file)) fail(rowOf(file), `${file}: none of its tests ran`);
  }
  const found = [...rows.values()];
  if (outcomes.length === 0) fail(own, `${part.name}: no test ran`);
  else if (part.status !== 0 && found.every((row) => row.failed === 0))
    fail(own, `${part.name}: ${endOf(part.status)}`);
  return own.failed > 0 ? [...found, own] : found;
}

function endOf(status: number | undefined): string {
  if (status === undefined) return "did not run to its end";
  if (status === TIMEOUT_STATUS) return "was ended at its time limit";
  return `ended with status ${status}, without saying which test failed`;
}

function emptyRow(name: string): Row {
  return { name, passed: 0, failed: 0, seconds: 0, skipped: new Map() };
}

function skips({ skipped }: Row): number {
  return [...skipped.values()].reduce((all, count) => all + count, 0);
}

/** The folder of a test: of test/flow/key/ufid.test.ts it is flow. */
function groupOf(file: string): string {
  const [, folder = "", ...rest] = file.split("/");
  return rest.length > 0 ? folder : "test";
}

/** The part of tests that need no kernel: every file of theirs has to run in it. */
const UNIT = "unit";

function partIn(run: string, name: string): Part {
  const text = (file: string): string | undefined => {
    const path = join(run, name, file);
    return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
  };
  const status = text("status");
  return {
    name,
    junit: text("junit.xml"),
    status: status === undefined ? undefined : Number(status),
    skipped: text("skipped"),
    ...(name === UNIT ? { files: unitFiles() } : {}),
  };
}

function unitFiles(): readonly string[] {
  const root = join(import.meta.dir, "../..");
  return [...new Bun.Glob("test/**/*.test.ts").scanSync({ cwd: root })].toSorted();
}

if (import.meta.main) {
  const run = process.env["MILLRACE_TEST_RUN"];
  if (run === undefined) throw new Error("MILLRACE_TEST_RUN names no folder");
  const complaints = join(run, "complaints");
  const said = existsSync(complaints) ? readFileSync(complaints, "utf8").trim().split("\n") : [];
  const { text, isGood } = tableOf(
    process.argv.slice(2).map((name) => partIn(run, name)),
    said,
  );
  console.log(text);
  process.exitCode = isGood ? 0 : 1;
}
