import { describe, expect, test } from "bun:test";
import { parseArguments } from "../../src/cli/dpctl/options.ts";

function parsed(...args: readonly string[]): Exclude<ReturnType<typeof parseArguments>, string> {
  const result = parseArguments(args);
  if (typeof result === "string") throw new Error(result);
  return result;
}

describe("dpctl's options are read as getopt_long reads them", () => {
  test("anywhere, together, by a prefix, until --", () => {
    const { options, rest } = parsed("show", "-ms", "dp", "--may", "-mt", "5", "--no-n");
    expect(options).toMatchObject({
      more: 2,
      statistics: true,
      mayCreate: true,
      timeout: 5,
      names: false,
    });
    expect(rest).toEqual(["show", "dp"]);
    expect(parsed("add-flows", "-", "--", "-m").rest).toEqual(["add-flows", "-", "-m"]);
    expect(parsed("--timeout=7", "-vdbg", "--log-file", "x").options.timeout).toBe(7);
    expect(parsed("-t9").options.timeout).toBe(9);
  });

  test.each([
    [["--nonsense"], "unrecognized option '--nonsense'"],
    [["-q"], "invalid option -- 'q'"],
    [["-t"], "option requires an argument -- 't'"],
    [["--timeout"], "option '--timeout' requires an argument"],
    [["-t", "0"], "value 0 on -t or --timeout is invalid"],
    [["--clear=1"], "option '--clear' doesn't allow an argument"],
  ])("%j: %s", (args, message) => {
    expect(parseArguments(args)).toBe(message);
  });

  test("a prefix of two is none", () => {
    expect(parseArguments(["--sy"])).toMatch(/^option '--sy' is ambiguous/);
  });
});
