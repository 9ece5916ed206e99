import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json";
import { NEEDS_BUN } from "../../.ci/pack/node-stub.ts";
import * as library from "../../src/index.ts";
import * as netlink from "../../src/netlink/index.ts";
import * as testing from "../../src/testing/index.ts";
import { limit } from "../runner/limit.ts";
import { BUN, done, project, ROOT, say, settings, TYPED_PROGRAM, unpacked } from "./packed.ts";

setDefaultTimeout(limit(60));

const TSC = join(ROOT, "node_modules/.bin/tsc");

let user = "";
let own = "";
beforeAll(() => {
  user = project("user", { "main.ts": TYPED_PROGRAM });
  own = unpacked(user);
});

describe("the packed package", () => {
  test("has what its names lead to, and no test", () => {
    const targets = Object.values(manifest.exports).flatMap((of) =>
      typeof of === "string" ? of : Object.values(of),
    );
    expect(targets.length).toBe(10);
    expect(targets.filter((path) => !existsSync(join(own, path)))).toEqual([]);
    expect(["test", "pack", "node_modules"].filter((name) => existsSync(join(own, name)))).toEqual(
      [],
    );
  });

  // The first condition that holds is taken: types for who checks, the source for Bun.
  test("is found by its types, else by Bun, else by the sentence for Node", () => {
    for (const of of Object.values(manifest.exports)) {
      if (typeof of !== "string") expect(Object.keys(of)).toEqual(["types", "bun", "default"]);
    }
  });

  test("leads an editor from a declaration to its source", () => {
    const types = join(own, "dist/types");
    const map: { sources: readonly string[]; mappings: string } = JSON.parse(
      readFileSync(join(types, "flow/flow.d.ts.map"), "utf8"),
    );
    expect(map.sources.map((path) => join(types, "flow", path))).toEqual([
      join(own, "src/flow/flow.ts"),
    ]);
    // A line was put before the first one.
    const lines = readFileSync(join(types, "index.d.ts"), "utf8").split("\n");
    const index: { mappings: string } = JSON.parse(
      readFileSync(join(types, "index.d.ts.map"), "utf8"),
    );
    const mapped = index.mappings.split(";").map((line) => line !== "");
    expect([lines[0]?.startsWith("/// <reference"), mapped[0]]).toEqual([true, false]);
    expect([lines[1], mapped[1]]).toEqual(["/**", true]);
  });
});

describe("a command of the package", () => {
  test("runs from its bundle, without its source", () => {
    const programs = join(user, "programs");
    mkdirSync(programs);
    symlinkSync(realpathSync(BUN), join(programs, "bun"));
    const main = join(own, "src/cli/main.ts");
    renameSync(main, `${main}.away`);
    try {
      writeFileSync(join(user, "flows.txt"), "in_port(1),eth() 2\nin_port(1),eth() nowhere\n");
      const command = [join(own, "src/cli/millrace"), "load", "flows.txt", "--dry-run"];
      const env = { PATH: `${programs}:/usr/bin:/bin` };
      const { status, out, err } = say(command, user, env);
      const note = expect.stringContaining("names of ports need a datapath");
      expect([status, out, err]).toEqual([
        1,
        expect.stringContaining("1 valid, 1 refused of"),
        note,
      ]);
    } finally {
      renameSync(`${main}.away`, main);
    }
  });

  test("names lines of the source in a trace", () => {
    writeFileSync(
      join(user, "break.js"),
      'process.argv.slice = () => { throw new Error("broken"); };',
    );
    const bundle = join(own, "dist/cli/load.js");
    const { err } = say([BUN, "--preload", "./break.js", bundle, "load"], user);
    const [, line = ""] = /src\/cli\/main\.ts:(\d+)/.exec(err) ?? [];
    const lines = readFileSync(join(own, "src/cli/main.ts"), "utf8").split("\n");
    expect(lines[Number(line) - 1]).toContain("process.argv.slice");
  });
});

describe("a program that is checked against its types", () => {
  test.each([
    ["bundler", {}],
    ["nodenext", {}],
    // A language without `using`: what the types want of it comes with them.
    ["bundler", { target: "es2022", lib: ["es2022", "dom"] }],
  ] as const)("finds them by %s %j, with tsc and with bun check", (resolution, more) => {
    writeFileSync(join(user, "tsconfig.json"), settings(resolution, more));
    expect(say([TSC, "--project", "."], user)).toMatchObject({ status: 0, out: "" });
    const bun = say([BUN, "check"], user);
    expect([bun.status, bun.out + bun.err]).toEqual([0, expect.stringContaining("No type errors")]);
  });
});

describe("on Node", () => {
  test.each([
    ["a name", 'import { Datapath } from "millrace"; Datapath.list();'],
    ["all names", 'import * as all from "millrace"; console.log(all);'],
    ["nothing", 'import "millrace/netlink";'],
    ["tests", 'import "millrace/testing";'],
    ["a name, later", 'const { Batch } = await import("millrace/netlink");'],
  ])("an import of %s ends in the sentence that it needs Bun", (_, program) => {
    const { status, out, err } = say(["node", "--input-type=module", "--eval", program], user);
    expect([status, out]).toEqual([1, ""]);
    expect(err.split("\n").filter((line) => line.includes("millrace"))).toEqual([
      `[Error: ${NEEDS_BUN}]`,
    ]);
  });

  test.each([
    ["index", library],
    ["netlink", netlink],
    ["testing", testing],
  ])("%s has every name of the library", (name, of) => {
    const text = readFileSync(join(own, "dist/node", `${name}.js`), "utf8");
    const names = /^export let (.*);$/m.exec(text)?.[1]?.split(", ");
    expect(names).toEqual(Object.keys(of).sort());
  });

  test("its package.json can be read", () => {
    const program = 'console.log(require("millrace/package.json").version)';
    expect(done(["node", "--eval", program], user).trim()).toBe(manifest.version);
  });
});
