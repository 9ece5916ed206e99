import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json";
import { writeSample } from "../../src/format/sample.ts";
import type { LoadReport } from "../../src/load/report.ts";
import { MILLRACE, NO_UML } from "../lab/harness.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless } from "../runner/skip.ts";
import { expectEveryCommand } from "./commands.ts";
import { BUN, done, project, ROOT, say, type Said, unpacked } from "./packed.ts";

setDefaultTimeout(limit(300));

const FLOWS = 20_000;

/** A program on the library: it loads a file with a thread that parses, and hears of a port by one that watches. */
const PROGRAM = `
import { Datapath } from "millrace";
using dp = Datapath.open("d0");
using changes = Datapath.changes({ kinds: ["port"] });
const result = await dp.load(Bun.file(process.argv[2] ?? ""), { workers: Number(process.argv[3]) as 0 });
dp.addPort("own0", { type: "internal" });
for await (const _ of changes) break;
console.log(JSON.stringify(result.report));
`;

/** Runs a command in a lab, beside a datapath d0 with two ports. */
function inLab(...command: readonly string[]): Said {
  const script = `
    millrace dp add d0 && for n in 1 2; do
      ip link add v$n type dummy && millrace port add v$n --dp d0 || exit
    done
    exec "$@"`;
  const lab = ["lab", "run", "--kernel", "uml", "--quiet", "--timeout", "60", "--"];
  return say([MILLRACE, ...lab, "sh", "-c", script, "sh", ...command], ROOT);
}

/** What a load of the whole file reports that was printed as JSON. */
function expectWhole({ status, out, err }: Said, withoutThreads: readonly unknown[] = []): void {
  expect([status, err]).toEqual([0, withoutThreads.length === 0 ? "" : expect.any(String)]);
  const report: LoadReport = JSON.parse(out);
  expect(report).toMatchObject({ applied: FLOWS, lines: FLOWS, ended: "complete", withoutThreads });
}

describeUnless(NO_UML)("as a single file", () => {
  let user = "";
  let file = "";
  beforeAll(() => {
    user = project("compiled", { "main.ts": PROGRAM });
    unpacked(user);
    file = join(user, "flows.txt");
    writeSample(file, FLOWS);
    done(["npm", "run", "--silent", "build:binary"], ROOT);
    // It may be called anything, and lie anywhere.
    cpSync(join(ROOT, "dist/millrace"), join(user, "a tool"));
  }, limit(120));

  test("millrace has every command", () => {
    expect(done([join(user, "a tool"), "--version"], user).trim()).toBe(manifest.version);
    expectEveryCommand(join(user, "a tool"), user);
  });

  test("millrace runs its benchmarks, and leaves nothing", () => {
    const env = { ...process.env, TMPDIR: project("bench") };
    const { status, out } = say([join(user, "a tool"), "bench", "micro", "--quick"], user, env);
    expect([status, out]).toEqual([0, expect.stringContaining("not measured")]);
    expect(done(["ls", env.TMPDIR], user)).toBe("package.json\n");
  });

  test.each(["1", "2"])("millrace loads a file with --workers %s", (workers) => {
    const load = ["load", file, "--dp", "d0", "--json", "--workers", workers];
    expectWhole(inLab(join(user, "a tool"), ...load));
  });

  test.each([
    ["compiled", ["--compile"]],
    ["compiled, with bytecode", ["--compile", "--bytecode", "--minify", "--format=esm"]],
    ["bundled", ["--target=bun"]],
  ])("a program of a user's loads a file with a thread, %s", (name, options) => {
    const out = join(user, `${name}.out`);
    done([BUN, "build", ...options, `--outfile=${out}`, "main.ts"], user);
    const command = name === "bundled" ? ["bun", out] : [out];
    expectWhole(inLab(...command, file, "1"));
  });

  test.each([
    ["1", "the thread that parses did not start, the load parsed itself: "],
    ["2", "the thread that parses did not start, the load parsed itself: "],
  ])("a load with --workers %s goes on without threads, and says so", (workers, note) => {
    const out = join(user, `without-${workers}`);
    const options = ["--compile", "--external=*/dist/threads.js", `--outfile=${out}`];
    done([BUN, "build", ...options, "src/cli/main.ts"], ROOT);
    const load = ["load", file, "--dp", "d0", "--json", "--workers", workers];
    const said = inLab(out, ...load);
    expect(said.err).toContain(`millrace: ${note}`);
    expectWhole(
      said,
      Array(Number(workers)).fill(expect.stringContaining("is not in this bundle")),
    );
  });
});
