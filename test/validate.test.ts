import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "./format/collect.ts";
import { Flow, UnreadableInputError, validate } from "../src/index.ts";

const GOOD = "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no) 2";
const UDP_MISSING = "in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no) 2";
const NAMED = "in_port(veth7),eth() veth8";

describe("validate", () => {
  test("judges lines, flows and files as a load would", async () => {
    const lines = [GOOD, "nonsense", UDP_MISSING];
    const folder = mkdtempSync(join(tmpdir(), "millrace-validate-"));
    try {
      const path = join(folder, "flows.txt");
      writeFileSync(path, lines.join("\n"));
      for (const source of [
        lines,
        path,
        Bun.file(path),
        new TextEncoder().encode(lines.join("\n")),
      ]) {
        const { encoded, refused, errors } = await validate(source);
        expect([encoded, refused]).toEqual([1, 2]);
        expect(errors.map(({ line, code }) => [line, code])).toEqual([
          [2, "FLOW_SYNTAX"],
          [3, "FLOW_REFUSED"],
        ]);
      }
      expect(await validate([Flow.parse(GOOD)])).toMatchObject({ encoded: 1, refused: 0 });
      const missing: unknown = await validate(join(folder, "none")).catch(
        (error: unknown) => error,
      );
      expect(missing).toBeInstanceOf(UnreadableInputError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("what is not a source of flows is a clear error", async () => {
    const said = async (source: unknown): Promise<string> =>
      // @ts-expect-error a script without types passes anything
      validate(source).then(() => "", String);
    const expected = "expected a path, bytes, a Blob, a filled template, or an iterable of flows";
    for (const source of [5, null, undefined, {}, true]) {
      expect(await said(source)).toStartWith("MillraceError: flows: found ");
      expect(await said(source)).toEndWith(expected);
    }
    expect(await said(GOOD)).toEndWith("there is no such file (pass a flow in an array: [text])");
    expect(await said("flows.none")).toEndWith("flows.none: there is no such file");
  });

  test("takes names of ports that it is told of, or any", async () => {
    expect(await validate([NAMED])).toMatchObject({ encoded: 0, refused: 1 });
    expect(await validate([NAMED], { ports: { veth7: 7, veth8: 8 } })).toMatchObject({
      encoded: 1,
    });
    expect(await validate([NAMED], { ports: { veth7: 7 } })).toMatchObject({ refused: 1 });
    expect(await validate([NAMED], { ports: "any" })).toMatchObject({ encoded: 1 });
    const bytes = new TextEncoder().encode(NAMED);
    expect(await validate(bytes, { ports: "any" })).toMatchObject({ encoded: 1 });
    // A flow set keeps names until it is loaded.
    const { bytes: set } = await compile(NAMED);
    expect(await validate(set)).toMatchObject({ encoded: 1, refused: 0 });
    expect(await validate(set, { ports: {} })).toMatchObject({ encoded: 0, refused: 1 });
  });
});
