import { expect, test } from "bun:test";
import { join } from "node:path";
import { ACTIONS } from "../../src/flow/action/table.ts";
import { Flow } from "../../src/flow/flow.ts";
import { flowJsonSchema, flowJsonToLine } from "../../src/flow/json.ts";
import { KEYS } from "../../src/flow/key/table.ts";
import { flowLanguageReference } from "../../src/flow/reference.ts";

const SCHEMA = join(import.meta.dir, "../../docs/flow.schema.json");
const PAGE = join(import.meta.dir, "../../docs/flow-language.md");

test("the page is the one that the tables make (MILLRACE_WRITE_DOCS=1 writes it)", async () => {
  const wanted = flowLanguageReference();
  if (process.env["MILLRACE_WRITE_DOCS"] === "1") await Bun.write(PAGE, wanted);
  expect(await Bun.file(PAGE).text()).toBe(wanted);
});

test("and so is the schema of flows in JSON", async () => {
  const wanted = `${JSON.stringify(flowJsonSchema(), null, 2)}\n`;
  if (process.env["MILLRACE_WRITE_DOCS"] === "1") await Bun.write(SCHEMA, wanted);
  expect(await Bun.file(SCHEMA).text()).toBe(wanted);
});

test("every row has a section", () => {
  const page = flowLanguageReference();
  for (const { name } of [...KEYS, ...ACTIONS]) expect(page).toContain(`\n### ${name}\n`);
});

test("every example is in the language", () => {
  for (const { examples } of ACTIONS)
    for (const example of examples) expect(() => Flow.parse(`eth() ${example}`)).not.toThrow();
  for (const { example, where } of KEYS)
    if (where === "kernel") expect(() => Flow.parse(`${example} 1`)).not.toThrow();
});

test("so are those of the introduction", () => {
  const [first] = flowLanguageReference().match(/`in_port[^`]*`/) ?? [];
  const [json] = flowLanguageReference().match(/\{"key".*\}/) ?? [];
  expect(flowJsonToLine(JSON.parse(json ?? ""))).toBe(first?.replaceAll("`", "") ?? "none");
  expect(() => Flow.parse(flowJsonToLine(JSON.parse(json ?? "")))).not.toThrow();
});
