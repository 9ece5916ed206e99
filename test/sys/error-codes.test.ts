import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { exitStatusOf } from "../../src/cli/exit.ts";
import { ERROR_CODES, errorReference, type OwnErrorCode } from "../../src/sys/error-codes.ts";
import { MillraceError } from "../../src/sys/errors.ts";

const PAGE = join(import.meta.dir, "../../docs/errors.md");
const SOURCE = join(import.meta.dir, "../../src");

const codes = Object.keys(ERROR_CODES).filter((code): code is OwnErrorCode => code in ERROR_CODES);

test("the page is the one that the table makes (MILLRACE_WRITE_DOCS=1 writes it)", async () => {
  if (process.env["MILLRACE_WRITE_DOCS"] === "1") await Bun.write(PAGE, errorReference());
  expect(await Bun.file(PAGE).text()).toBe(errorReference());
});

test("an error ends a command with the status of its code", () => {
  for (const code of codes) {
    expect([code, exitStatusOf(new MillraceError(code, ""))]).toEqual([
      code,
      ERROR_CODES[code].exit,
    ]);
  }
  expect(exitStatusOf(new MillraceError("ENODEV", ""))).toBe(3);
  expect(exitStatusOf(new MillraceError("EIO", ""))).toBe(5);
});

test("every code is used", () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" });
  const text = files
    .filter((path) => path.endsWith(".ts") && !path.endsWith("error-codes.ts"))
    .map((path) => readFileSync(join(SOURCE, path), "utf8"))
    .join("\n");
  expect(codes.filter((code) => !text.includes(`"${code}"`))).toEqual([]);
});
