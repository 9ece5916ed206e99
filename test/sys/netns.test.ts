import { expect, test } from "bun:test";
import { NetworkNamespace } from "../../src/sys/netns.ts";

test("a namespace that cannot be opened says why in a word", () => {
  const open = (path: string) => (): unknown => NetworkNamespace.open(path);
  expect(open("/nonexistent/net")).toThrow(expect.objectContaining({ code: "NO_NAMESPACE" }));
  expect(open("/etc/passwd/net")).toThrow(expect.objectContaining({ code: "NO_NAMESPACE" }));
  // Nothing of that is a matter of rights.
  const long = `/${"x".repeat(300)}`;
  expect(open(long)).toThrow(expect.objectContaining({ code: "ENAMETOOLONG", call: "open" }));
});
