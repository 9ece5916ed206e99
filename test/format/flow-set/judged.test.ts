import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { validate } from "../../../src/validate.ts";
import { PROPERTY } from "../../flow/harness.ts";
import { compile } from "../collect.ts";

/*
 * compile, validate and load --dry-run judge alike: the same lines are refused, for the same reasons, at the same
 * places.
 */

const CORPUS = join(import.meta.dir, "../../flow/corpus");

const LINES: readonly string[] = readdirSync(CORPUS)
  .filter((file) => file.endsWith(".txt"))
  .flatMap((file) => readFileSync(join(CORPUS, file), "utf8").split("\n"));

/** Flows that break a rule of the kernel, and some that do not. */
const BROKEN: readonly string[] = [
  "in_port(1),eth(),eth_type(0x0800) 2",
  "in_port(uplink),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(dst=80) other",
  "in_port(65535),eth() 2",
  "in_port(uplink),eth() 65535",
  "in_port(1),eth(),eth_type(0x0806),arp() set(tcp(src=1)),2",
  "mod in_port(1),eth(),eth_type(0x0806),arp() set(ipv4(ttl=1)),2",
  "delete in_port(uplink),eth(),eth_type(0x0806)",
  "in_port(uplink),eth(),eth_type(0x0806),arp() 1,other",
  "add eth(),eth_type(0x0806) drop # a comment",
  "  eth(),eth_type(0x86dd),ipv6(proto=58,frag=no) clone(2)\r",
  "nonsense",
  "",
];

/** Flows for which only a flow set has no room. */
const UNHELD: ReadonlySet<string> = new Set(["SHORT_UFID", "PORT_NAME"]);

async function bothWays(lines: readonly string[]): Promise<[unknown, unknown]> {
  const text = lines.join("\n");
  const exceptions: unknown[] = [];
  await validate(new TextEncoder().encode(text), {
    ports: "any",
    onException: ({ line, column, code, reason, text: quoted, caret }) =>
      void exceptions.push({ line, column, code, reason, text: quoted, caret }),
  });
  const { refusals } = await compile(text, "text", "", true);
  const judged = refusals.filter(({ code }) => !UNHELD.has(code));
  const refused = judged.map(({ line, column, code, reason, text: quoted, caret }) => ({
    line,
    column,
    code,
    reason,
    text: quoted,
    caret,
  }));
  return [exceptions, refused];
}

test("all of the corpus, and what breaks a rule", async () => {
  const lines = [...BROKEN, ...LINES];
  expect(LINES.length).toBeGreaterThan(500);
  const [judged, compiled] = await bothWays(lines);
  expect(judged).toBeArray();
  expect(compiled).toEqual(judged);
  const [refused] = await bothWays(BROKEN);
  expect(refused).toHaveProperty("length", 10);
});

test("any lines in any order", async () => {
  const line = fc.constantFrom(...BROKEN, ...LINES);
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 30 }), async (lines) => {
      const [judged, compiled] = await bothWays(lines);
      expect(compiled).toEqual(judged);
    }),
    { ...PROPERTY, numRuns: Math.min(PROPERTY.numRuns, 300) },
  );
});
