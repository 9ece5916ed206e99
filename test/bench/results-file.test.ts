import { afterAll, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readReport, runProgram } from "../../bench/program.ts";
import { appendLine, readResults } from "../../bench/results-file.ts";
import { ENVIRONMENT, run } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a file of results", () => {
  test("is read as far as a run came that was broken off", () => {
    const file = join(folder, "broken-off");
    appendLine(file, { ...ENVIRONMENT, labKernel: "", unfinished: true });
    appendLine(file, { kind: "lab", labKernel: "6.6", labCpus: 1 });
    appendLine(file, run("packed-a", 0, 1));
    const { environment, runs } = readResults(file);
    expect(environment).toMatchObject({ labKernel: "6.6", labCpus: 1, unfinished: true });
    expect(runs).toEqual([run("packed-a", 0, 1)]);
    appendLine(file, ENVIRONMENT);
    expect(readResults(file).environment.unfinished).toBeUndefined();
  });

  test.each(["{", "7", '{"kind":"run"}', '{"kind":"environment"}', '{"kind":"else"}'])(
    "that has the line %s is none, and the line is named",
    (line) => {
      const file = join(folder, "malformed");
      writeFileSync(file, "");
      appendLine(file, ENVIRONMENT);
      appendFileSync(file, `${line}\n`);
      expect(() => readResults(file)).toThrow(`${file}:2: not a line of results`);
    },
  );

  test("that says nothing of the machine is none", () => {
    const file = join(folder, "alone");
    appendLine(file, run("packed-a", 0, 1));
    expect(() => readResults(file)).toThrow("holds no results");
    expect(() => readResults(join(folder, "missing"))).toThrow("cannot read the results: ");
  });
});

describe("a program", () => {
  test("that breaks, hangs or is not there is a reason, and no exception", () => {
    expect(runProgram(["sh", "-c", "exit 3"]).failed).toBe("exit 3");
    expect(runProgram(["sleep", "60"], { timeLimitMs: 50 }).failed).toBe("not done after 0.05 s");
    expect(runProgram(["/no/such/program"]).failed).toContain("/no/such/program");
    expect(runProgram(["true"]).failed).toBeUndefined();
  });

  test("reports in JSON, or not at all", () => {
    expect(readReport('{"seconds":1,"flows":2}')).toEqual({ seconds: 1, flows: 2 });
    for (const text of ["", "Killed", "null", "[]", '{"flows":2}']) {
      expect(readReport(text)).toBeUndefined();
    }
  });
});
