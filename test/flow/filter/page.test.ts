import { expect, test } from "bun:test";
import { join } from "node:path";
import { FlowFilter } from "../../../src/flow/filter/filter.ts";
import { fieldCalled, fieldsOf } from "../../../src/flow/filter/names.ts";
import { parseColumns } from "../../../src/flow/filter/columns.ts";
import { KEYS } from "../../../src/flow/key/table.ts";
import { ANY_PORTS } from "../../../src/flow/ports.ts";

const PAGE = join(import.meta.dir, "../../../docs/filter.md");
const HEAD = "| key | what it is | fields |\n|---|---|---|\n";

/** The table of fields, from the table of keys. */
function fieldTable(): string {
  const rows = KEYS.filter(({ name }) => fieldCalled(name) !== undefined).map((key) => {
    const fields = fieldsOf(key.name).map((name) => `\`${name.slice(key.name.length + 1)}\``);
    return `| \`${key.name}\` | ${key.about} | ${fields.join(", ")} |\n`;
  });
  return rows.join("");
}

test("the page has every field (MILLRACE_WRITE_DOCS=1 writes its table)", async () => {
  let page = await Bun.file(PAGE).text();
  const [before = "", after = ""] = page.split(HEAD);
  const rest = after.slice(after.indexOf("\n## "));
  const wanted = `${before}${HEAD}${fieldTable()}${rest}`;
  if (process.env["MILLRACE_WRITE_DOCS"] === "1") await Bun.write(PAGE, (page = wanted));
  expect(page).toBe(wanted);
});

test("its examples are filters", async () => {
  const page = await Bun.file(PAGE).text();
  const commands = [...page.matchAll(/--where '([^']+)'|where: "([^"]+)"/g)];
  const conditions = [...page.matchAll(/^\| (`.*?) \|/gm)]
    .flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)])
    .map(([, text = ""]) => text)
    .filter((text) => !KEYS.some(({ name }) => name === text))
    .map((text) => text.replace("UUID", "00000000-0000-0000-0000-000000000001"));
  const filters = [...commands.map(([, one, other]) => one ?? other ?? ""), ...conditions];
  expect(filters.length).toBeGreaterThan(15);
  for (const filter of filters)
    expect(() => FlowFilter.parse(filter, { ports: ANY_PORTS })).not.toThrow();
  for (const [, columns = ""] of page.matchAll(/--group-by ([\w.,]+)/g)) {
    if (columns !== "FIELD,") expect(() => parseColumns(columns, ANY_PORTS)).not.toThrow();
  }
});
