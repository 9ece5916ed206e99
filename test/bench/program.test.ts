/** Programs that the suite runs. */
import { expect, test } from "bun:test";
import { runProgram } from "../../bench/program.ts";

const NAME = "MILLRACE_TEST_OF_PROGRAMS";

test("a program gets what the suite has set in its environment: that it runs what users install", () => {
  process.env[NAME] = "set";
  try {
    expect(runProgram(["sh", "-c", `echo "$${NAME}"`]).stdout).toBe("set\n");
  } finally {
    delete process.env[NAME];
  }
  const env = { ...process.env, [NAME]: "given" };
  expect(runProgram(["sh", "-c", `echo "$${NAME}"`], { env }).stdout).toBe("given\n");
});
