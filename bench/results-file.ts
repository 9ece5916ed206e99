import { appendFileSync, readFileSync } from "node:fs";
import { systemErrorText } from "../src/cli/system-error.ts";
import { type Environment, type LabFacts, PARTS, type Results, type Run } from "./model.ts";

/** A line of a file of results. */
type Line = Run | Environment | LabFacts;

export function appendLine(file: string, value: Line): void {
  appendFileSync(file, `${JSON.stringify(value)}\n`);
}

/** A file does not hold results of the suite. */
export class ResultsError extends Error {
  override readonly name: string = "ResultsError";
}

/** Reads a file written by {@link appendLine}. @throws ResultsError if it is not such a file */
export function readResults(file: string): Results {
  let environment: Environment | undefined;
  let facts: LabFacts | undefined;
  const runs: Run[] = [];
  for (const [index, line] of linesOf(file).entries()) {
    if (line === "") continue;
    const value = parse(line);
    if (isRun(value)) runs.push(value);
    else if (isEnvironment(value)) environment = value;
    else if (isLabFacts(value)) facts = value;
    else throw new ResultsError(`${file}:${index + 1}: not a line of results of the suite`);
  }
  if (environment === undefined) throw new ResultsError(`${file} holds no results of the suite`);
  if (facts === undefined) return { environment, runs };
  const { labKernel, labCpus } = facts;
  return { environment: { ...environment, labKernel, labCpus }, runs };
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch (cause) {
    const why = systemErrorText(cause) ?? String(cause);
    throw new ResultsError(`cannot read the results: ${why}`, { cause });
  }
}

/** The document in a line; undefined if the line is not JSON. */
function parse(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    return value;
  } catch {
    return undefined;
  }
}

function isRun(value: unknown): value is Run {
  return (
    is(value, "run", ["id", "name", "program"], ["round", "flows", "seconds", "wholeSeconds"]) &&
    "part" in value &&
    PARTS.some((part) => part === value.part)
  );
}

function isEnvironment(value: unknown): value is Environment {
  return (
    is(value, "environment", ["cpu", "hostKernel", "lab", "labKernel"], ["cpus", "flows"]) &&
    "skipped" in value &&
    Array.isArray(value.skipped)
  );
}

function isLabFacts(value: unknown): value is LabFacts {
  return is(value, "lab", ["labKernel"], ["labCpus"]);
}

/** Whether a value is an object of a kind, with strings and numbers under these names. */
function is(
  value: unknown,
  kind: string,
  words: readonly string[],
  numbers: readonly string[],
): value is object {
  if (typeof value !== "object" || value === null) return false;
  const all = new Map<string, unknown>(Object.entries(value));
  return (
    all.get("kind") === kind &&
    words.every((name) => typeof all.get(name) === "string") &&
    numbers.every((name) => typeof all.get(name) === "number")
  );
}
