import { expect, test } from "bun:test";
import { join } from "node:path";
import { validate } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { loadReportSchema } from "../../src/load/report-schema.ts";
import { schemaCheck } from "../json-schema.ts";

const PAGE = join(import.meta.dir, "../../docs/load-report.schema.json");

const errorsOf = schemaCheck(loadReportSchema());

test("docs have the schema (MILLRACE_WRITE_DOCS=1 writes it)", async () => {
  const wanted = `${JSON.stringify(loadReportSchema(), null, 2)}\n`;
  if (process.env["MILLRACE_WRITE_DOCS"] === "1") await Bun.write(PAGE, wanted);
  expect(await Bun.file(PAGE).text()).toBe(wanted);
});

function* breaking(): Generator<string, void> {
  yield sampleLine(0);
  throw new Error("no more rows");
}

test.each([
  ["all is well", [sampleLine(0), sampleLine(1)], {}],
  ["nothing at all", [], {}],
  [
    "syntax, a suggestion, and rules",
    ["in_prt(1)", "in_port(1),eth(),eth_type(0x0800),tcp() 2"],
    {},
  ],
  ["more errors than are kept", Array.from({ length: 300 }, () => "x"), {}],
  ["a stop", ["x", sampleLine(0)], { onError: "stop" }],
  ["an abort", [sampleLine(0)], { signal: AbortSignal.abort() }],
  ["an input that breaks off", breaking(), {}],
] as const)("a report fits it: %s", async (_, source, options) => {
  const report = await validate(source, options);
  const json: { errors: unknown } = JSON.parse(JSON.stringify({ ...report, endCause: undefined }));
  expect(errorsOf(json)).toEqual([]);
  expect(json.errors).toBeArray();
});

test("what is not a report does not fit it", async () => {
  const report = JSON.parse(JSON.stringify(await validate(["x"])));
  const [error] = report.errors;
  for (const change of [
    { applied: -1 },
    { ended: "somehow" },
    { more: 1 },
    { batches: "1" },
    { seconds: null },
    { errors: [{ ...error, state: "applied" }] },
    { errors: [{ ...error, code: "no code" }] },
    { errors: Array(101).fill(error) },
  ])
    expect([change, errorsOf({ ...report, ...change })]).not.toEqual([change, []]);
  for (const name of ["applied", "errors", "endReason"]) {
    const { [name]: _, ...rest } = report;
    expect([name, errorsOf(rest)]).not.toEqual([name, []]);
  }
});
