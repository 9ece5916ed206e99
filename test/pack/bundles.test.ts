import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleCommands } from "../../.ci/pack/commands.ts";
import { limit } from "../runner/limit.ts";

setDefaultTimeout(limit(30));

const folder = mkdtempSync(join(tmpdir(), "millrace-bundles-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The modules in the bundle of a command. */
function modulesOf(command: string): readonly string[] {
  const map: { readonly sources: readonly string[] } = JSON.parse(
    readFileSync(join(folder, `${command}.js.map`), "utf8"),
  );
  return map.sources.map((path) => path.replace(/^.*\/src\//, ""));
}

// A module that one error needs brings all that it imports into every bundle, and each command starts later.
test("a bundle has what its command needs, and no other command's code", async () => {
  await bundleCommands(folder);
  for (const command of ["dp", "port", "dump", "load", "compile"]) {
    const modules = modulesOf(command);
    expect(modules).toContain(`cli/commands/${command}.ts`);
    expect(modules.filter((path) => path.startsWith("cli/dpctl/"))).toEqual([]);
  }
  // What lists datapaths knows nothing of flows' language.
  expect(modulesOf("dp").filter((path) => /^(load|format)\//.test(path))).toEqual([]);
  expect(modulesOf("dpctl")).toContain("cli/dpctl/datapaths.ts");
});
