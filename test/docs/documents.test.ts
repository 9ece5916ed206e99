import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Flow, validate } from "../../src/index.ts";
import { FETCH_TIMEOUT_MS, NO_UML } from "../lab/harness.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless } from "../runner/skip.ts";
import { ROOT, textOf } from "../source.ts";
import { BLOCKS, DOCUMENTS, isProgram } from "./blocks.ts";
import { DocumentRun, programsOf } from "./document-run.ts";

setDefaultTimeout(FETCH_TIMEOUT_MS + limit(20));

/** The blocks that say that they are not run: a new one has to be named here, too. */
const NOT_RUN = [
  "README.md: it fetches from a registry: npm install --global millrace",
  "README.md: these are the tests: npm test",
  "docs/recipes/ci.md: it is for GitHub: on: push",
  "docs/recipes/container.md: they have no container engine: FROM node:22-slim",
  "docs/recipes/container.md: they have no container engine: docker build --tag millrace .",
  "docs/recipes/measure.md: it takes ten minutes; another test runs the suite: millrace bench --peers",
];

describe("the documents", () => {
  test(`have ${NOT_RUN.length} blocks that are not run, and each says why`, () => {
    const found = BLOCKS.filter(({ notRun }) => notRun !== undefined).map(
      ({ document, notRun, text }) => `${document}: ${notRun}: ${text.split("\n")[0]}`,
    );
    expect(found.length).toBe(NOT_RUN.length);
    expect(found.filter((one, index) => !one.startsWith(NOT_RUN[index] ?? "?"))).toEqual([]);
  });

  test("run all others, in a lab or here", () => {
    const run = DOCUMENTS.flatMap((document) => [
      ...programsOf(document, "lab"),
      ...programsOf(document, "machine"),
    ]);
    const left = BLOCKS.filter((block) => isProgram(block) && block.notRun === undefined);
    const files = left.filter(({ file }) => file !== undefined);
    expect(run.length).toBe(left.length - files.length);
    expect(run.length).toBeGreaterThan(30);
    // A file is of use only where a block runs it.
    const unused = files.filter(
      ({ document, file = "" }) =>
        !run.some((block) => block.document === document && block.text.includes(file)),
    );
    expect(unused).toEqual([]);
  });

  test("show output only of what is run", () => {
    const lost = BLOCKS.filter(({ language, file }, index) => {
      if (language !== "text" || file !== undefined) return false;
      const before = BLOCKS[index - 1];
      return before === undefined || !isProgram(before) || before.notRun !== undefined;
    });
    expect(lost).toEqual([]);
  });

  test("hold flows that are flows", async () => {
    const flows = BLOCKS.filter(({ language }) => language === "flow");
    expect(flows.length).toBeGreaterThan(0);
    for (const { text } of flows) {
      const { errors, encoded } = await validate(new TextEncoder().encode(text), { ports: "any" });
      expect([errors, encoded > 0]).toEqual([[], true]);
    }
    // Of the reference: keys without actions, or actions without a key, and what only userspace knows.
    const examples = BLOCKS.filter(({ language }) => language === "example");
    expect(examples.length).toBeGreaterThan(40);
    for (const line of examples.flatMap(({ text }) => text.trimEnd().split("\n"))) {
      if (/^(?:packet_type|nd_ext)\(/.test(line)) continue;
      const [key, actions] = [`${line} 1`, `eth() ${line}`].map((text) => isFlow(text));
      expect([line, key === true || actions === true]).toEqual([line, true]);
    }
  });

  test("lead only to what is there", () => {
    const lost = DOCUMENTS.flatMap((document) =>
      [...textOf(document).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
        .map(([, target = ""]) => target)
        .filter((to) => !/^https?:/.test(to) && !existsSync(join(ROOT, dirname(document), to)))
        .map((to) => `${document}: ${to}`),
    );
    expect(lost).toEqual([]);
  });
});

function isFlow(text: string): boolean {
  try {
    Flow.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("their programs in TypeScript", () => {
  const folder = join(ROOT, "dist/documents");
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("have the library's types, as strictly as its own source", () => {
    const programs = BLOCKS.filter(({ language }) => language === "ts");
    expect(programs.length).toBeGreaterThan(8);
    for (const { document, line, text } of programs) {
      writeFileSync(join(folder, `${document.replaceAll("/", ".")}.${line}.ts`), text);
    }
    const settings = { extends: "../../tsconfig.json", include: ["*.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings));
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    const { stdout } = Bun.spawnSync([tsc, "--project", "."], { cwd: folder });
    expect(stdout.toString()).toBe("");
  });
});

/** What a demo prints, whatever this one measured. */
function shapeOf(said: string): string {
  return said.replaceAll(/[\s█]+/g, "").replaceAll(/[\d.,]+/g, "N");
}

/** What the README's picture shows below its prompt. */
const SHOWN = shapeOf(
  [...textOf("docs/demo.svg").matchAll(/<tspan [^>]*>([^<]*)<|(<text)/g)]
    .map(([, text = "\n"]) => text)
    .join("")
    .replace(/^.*\n\$ npm run demo\n/s, ""),
);

describeUnless(NO_UML)("their blocks that boot a lab", () => {
  for (const document of DOCUMENTS) {
    const programs = programsOf(document, "machine");
    if (programs.length === 0) continue;
    describe(document, () => {
      const run = new DocumentRun(document);
      afterAll(() => run[Symbol.dispose]());
      for (const block of programs) {
        test(`line ${block.line}`, () => {
          const said = run.run(block);
          if (block.text.includes("npm run demo")) expect(shapeOf(said)).toContain(SHOWN);
        });
      }
    });
  }
});
