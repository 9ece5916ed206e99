import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json";
import { NO_UML } from "../lab/harness.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless, testUnless } from "../runner/skip.ts";
import { expectEveryCommand } from "./commands.ts";
import { BUN, done, packed, project, ROOT, say, settings, TYPED_PROGRAM } from "./packed.ts";

setDefaultTimeout(limit(300));

/** A project of a user's that has the package and Bun's types: how they were installed, and what that said. */
type Installed = { readonly folder: string; readonly said: string };

/** By whom a user installs. */
const INSTALLERS = {
  npm: ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund"],
  bun: [BUN, "add"],
} as const;

/** Why nothing can be installed; undefined where it can. */
function noRegistry(): string | undefined {
  const { status, err } = say(["npm", "view", "picocolors", "version", "--fetch-retries=0"], ROOT);
  return status === 0 ? undefined : `no package registry answers: ${err.split("\n")[0]}`;
}

function install(installer: keyof typeof INSTALLERS): Installed {
  const folder = project(installer);
  const { "bun-types": version } = manifest.devDependencies;
  const command = [...INSTALLERS[installer], packed(), `@types/bun@${version}`];
  const { status, out, err } = say(command, folder);
  const said = `${out}${err}`;
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}:\n${said}`);
  return { folder, said };
}

test("publint and attw find nothing wrong with the package", () => {
  const publint = join(ROOT, "node_modules/.bin/publint");
  const attw = join(ROOT, "node_modules/.bin/attw");
  expect(done([publint, "run", packed(), "--strict"], ROOT)).toContain("All good!");
  const { status, out, err } = say([attw, packed(), "--profile", "esm-only"], ROOT);
  expect([status, status === 0 ? "" : out + err]).toEqual([0, ""]);
});

const reason = noRegistry();

for (const installer of ["npm", "bun"] as const) {
  describeUnless(reason)(`installed by ${installer}`, () => {
    let user: Installed;
    const own = (path: string): string => join(user.folder, "node_modules/millrace", path);
    const millrace = (): string => join(user.folder, "node_modules/.bin/millrace");
    beforeAll(() => {
      user = install(installer);
    }, limit(300));

    test("it warns of nothing, and runs no script", () => {
      expect(user.said).not.toMatch(/warn|deprecat|blocked|untrusted|approve|script/i);
    });

    test("it comes with its Bun", () => {
      const env = { HOME: user.folder, PATH: "/usr/bin:/bin" };
      const { out } = say([own("src/cli/bun"), "-e", "console.log(process.execPath)"], ROOT, env);
      expect(out.trim()).toStartWith(join(user.folder, "node_modules/@oven/bun-linux-"));
      expect(say([millrace(), "--version"], ROOT, env)).toEqual({
        status: 0,
        out: `${manifest.version}\n`,
        err: "",
      });
    });

    test.each(["bundler", "nodenext"] as const)("a program has its types by %s", (resolution) => {
      writeFileSync(join(user.folder, "main.ts"), `${TYPED_PROGRAM}console.log(Bun.version);\n`);
      writeFileSync(join(user.folder, "tsconfig.json"), settings(resolution, { types: ["bun"] }));
      const tsc = join(ROOT, "node_modules/.bin/tsc");
      expect(say([tsc, "--project", "."], user.folder)).toMatchObject({ status: 0, out: "" });
      const { status, out, err } = say([own("src/cli/bun"), "check"], user.folder);
      expect([status, out + err]).toEqual([0, expect.stringContaining("No type errors")]);
    });

    testUnless(NO_UML)("every command works", () => {
      expectEveryCommand(millrace(), user.folder);
    });

    // One installation is as good as another for what takes long.
    if (installer === "bun") return;
    test("the benchmarks write their page", () => {
      const page = join(user.folder, "page.html");
      done([millrace(), "bench", "micro", "--quick", "--report", page], user.folder);
      expect(readFileSync(page, "utf8")).toContain("uPlot");
      rmSync(page);
    });
  });
}
