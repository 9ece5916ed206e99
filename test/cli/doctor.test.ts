import { expect, test } from "bun:test";
import { reported } from "../../src/cli/doctor-checks.ts";
import { MillraceError } from "../../src/sys/errors.ts";

test("a check that cannot be made is a line of the report, not its end", () => {
  const found = reported("netlink socket", () => {
    throw new MillraceError("NO_PROTOCOL", "this kernel has no netlink protocol 16");
  });
  expect(found).toEqual([
    { what: "netlink socket", verdict: "lacking", found: "this kernel has no netlink protocol 16" },
  ]);
});
