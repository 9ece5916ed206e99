import { expect, test } from "bun:test";
import { millrace, millraceProcess } from "../kernel/program.ts";

// Kernel tests run most command lines in one process, which must not change a command's output.
test("a shared process says what one of its own says, and keeps nothing from one command to the next", () => {
  const commands = [
    ["--version"],
    ["nonsense"],
    ["load", "--dry-run"],
    ["load", "--dp"],
    ["load", "/nonexistent", "--dry-run"],
    ["dp", "--help"],
    ["dpctl", "nonsense"],
    ["completion", "bash"],
  ];
  const statuses = new Set<number>();
  for (const args of [...commands, ...commands.toReversed()]) {
    const { exitCode, stdout, stderr } = millraceProcess(args);
    expect(millrace(args)).toMatchObject({ exitCode, stdout, stderr });
    statuses.add(exitCode);
  }
  expect(statuses).toEqual(new Set([0, 1, 2]));
});
