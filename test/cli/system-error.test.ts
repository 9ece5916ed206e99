import { mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { systemErrorText } from "../../src/cli/system-error.ts";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

test("an error of the file system is told in words, others are not taken for one", () => {
  const thrown = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return error;
    }
  };
  expect(systemErrorText(thrown(() => readFileSync("/nowhere/at/all")))).toBe(
    "open /nowhere/at/all: no such file or directory",
  );
  expect(systemErrorText(thrown(() => readFileSync("/")))).toContain("is a directory");
  expect(systemErrorText(new TypeError("x"))).toBeUndefined();
  expect(systemErrorText("ENOENT")).toBeUndefined();
});

test("a lab that is started in a folder that is gone says so", () => {
  const cwd = mkdtempSync(join(tmpdir(), "millrace-gone-"));
  const script = `cd ${cwd} && rmdir ${cwd} && exec ${MILLRACE} lab run --kernel uml -- true`;
  const { exitCode, stderr } = Bun.spawnSync(["bash", "-c", script]);
  expect(exitCode).toBe(125);
  expect(stderr.toString()).toContain(
    "millrace: the folder that this was started in is gone\ncd to another one\n",
  );
  expect(stderr.toString()).not.toContain("ENOENT");
  expect(() => rmdirSync(cwd)).toThrow();
});

test.each([
  ["load /nowhere/flows.txt --dry-run", 2],
  ["load /etc/hostname/x --dry-run", 2],
  ["compile /nowhere/flows.txt -o /dev/null", 2],
  ["sample 5 -o /nowhere/x", 2],
  ["load /dev/null --dry-run --errors /nowhere/x", 2],
  ["bench --from /nowhere/runs", 2],
  ["bench --report /nowhere/page --quick", 2],
  ["dp list --namespace nowhere", 3],
])("%s: no errno for a first word, status %i", (words, status) => {
  const { exitCode, stderr } = Bun.spawnSync([MILLRACE, ...words.split(" ")]);
  const said = stderr.toString();
  expect([said, exitCode]).toEqual([expect.stringMatching(/^millrace: /), status]);
  expect(said).not.toMatch(/ENOENT|ENOTDIR|internal error/);
});
