import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFlows, UnreadableInputError, validate } from "../../src/index.ts";
import { compressionOf } from "../../src/format/detect.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { bytesSource, streamSource } from "../../src/format/source.ts";
import { startLoad, startLoadSync } from "../../src/load/start-load.ts";
import { compile, utf8 } from "./collect.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-compressed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FLOWS = 5000;
const TEXT = utf8(Array.from({ length: FLOWS }, (_, i) => `${sampleLine(i)}\n`).join(""));

const COMPRESS = {
  gzip: (bytes: Uint8Array<ArrayBuffer>): Uint8Array => Bun.gzipSync(bytes),
  zstd: (bytes: Uint8Array<ArrayBuffer>): Uint8Array => Bun.zstdCompressSync(bytes),
} as const;
const KINDS = ["gzip", "zstd"] as const;

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** A few bytes at a time, as from a slow pipe. */
function slowly(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await Bun.sleep(0);
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, (at += size)));
    },
  });
}

function cat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

describe.each(KINDS)("%s", (kind) => {
  const whole = COMPRESS[kind](new Uint8Array(TEXT));

  test("a file, bytes and a blob are read as what they hold", async () => {
    const path = file(`flows.${kind}`, whole);
    for (const source of [path, Bun.file(path), whole, new Blob([new Uint8Array(whole)])]) {
      const report = await validate(source);
      expect(report).toMatchObject({ encoded: FLOWS, lines: FLOWS, ended: "complete" });
    }
  });

  test("an end in the middle of anything is found", async () => {
    const path = file(`parts.${kind}`, cat(whole, whole));
    expect(await validate(path)).toMatchObject({ encoded: 2 * FLOWS, ended: "complete" });
    for (const cut of [whole.length - 1, whole.length >> 1, whole.length + 7]) {
      const report = await validate(cat(whole, whole).subarray(0, cut));
      expect([cut, report.ended]).toEqual([cut, "unreadable"]);
      expect(report.endReason).toBe(
        `cannot read bytes: it is compressed by ${kind}, and was cut short: its end is missing`,
      );
    }
  });

  test("one that is damaged, or has more behind it, is one clear error", async () => {
    const middle = whole.length >> 1;
    const flipped = whole.map((byte, i) => (i >= middle && i < middle + 64 ? byte ^ 0x55 : byte));
    const path = file(`flipped.${kind}`, flipped);
    for (const [source, name] of [
      [path, path],
      [cat(whole, utf8("and words behind it")), "bytes"],
    ] as const) {
      const report = await validate(source);
      expect(report.ended).toBe("unreadable");
      expect(report.endReason).toStartWith(
        `cannot read ${name}: it is compressed by ${kind}, and damaged (`,
      );
    }
  });

  test("a set of flows is not read from a part of a file", async () => {
    const path = file(`cut.${kind}`, whole.subarray(0, whole.length - 7));
    const error = await readFlows(path).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(UnreadableInputError);
    expect(error).toMatchObject({
      code: "UNREADABLE_INPUT",
      message: `cannot read ${path}: it is compressed by ${kind}, and was cut short: its end is missing`,
    });
  });

  test("one that ends before its first flow cannot be read at all", async () => {
    const source = whole.subarray(0, 9);
    for (const input of [source, file(`begun.${kind}`, source)]) {
      expect(await validate(input).catch(String)).toContain(
        `it is compressed by ${kind}, and was cut short: its end is missing`,
      );
    }
  });

  test("it may come slowly, and hold JSON lines or a flow set", async () => {
    const lines = utf8(`{"key":"no such thing"}\n`);
    const { bytes } = await compile(sampleLine(1));
    for (const [holds, outcome] of [
      [lines, { encoded: 0, refused: 1 }],
      [bytes, { encoded: 1, refused: 0 }],
    ] as const) {
      const source = streamSource("slow", () => slowly(COMPRESS[kind](new Uint8Array(holds)), 5));
      const report = await startLoad("dry", { source, format: "auto" }, {});
      expect(report).toMatchObject({ ...outcome, ended: "complete" });
    }
  });

  test("what is compressed twice is no text", async () => {
    const twice = COMPRESS[kind](new Uint8Array(whole));
    expect(await validate(twice).catch(String)).toContain("it is a binary file");
  });

  test("a load without waiting says that it has to wait", () => {
    const input = { source: bytesSource("bytes", whole), format: "auto" } as const;
    expect(() => startLoadSync("dry", input, {})).toThrow("bytes must be waited for");
  });

  test("progress is told in bytes of the file", async () => {
    let last = 0;
    let total: number | undefined;
    await validate(file(`progress.${kind}`, whole), {
      onProgress: ({ bytesRead, bytesTotal }) => {
        last = bytesRead;
        total = bytesTotal;
      },
    });
    expect(total).toBe(whole.length);
    expect(last).toBeLessThanOrEqual(whole.length);
  });
});

test("few bytes that stand for many take no more memory", async () => {
  const MEBIBYTES = 512;
  const comment = new Uint8Array(1 << 16).fill(0x23);
  comment[comment.length - 1] = 0x0a;
  const piece = Bun.zstdCompressSync(cat(...Array.from({ length: 16 }, () => comment)));
  const path = file("bomb.zst", cat(...Array.from({ length: MEBIBYTES }, () => piece)));
  const before = process.memoryUsage().rss;
  const report = await validate(path);
  expect(report).toMatchObject({ lines: MEBIBYTES * 16, encoded: 0, ended: "complete" });
  expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
});

test("an input that was closed leaves no descriptor open", async () => {
  const path = file("open.gz", Bun.gzipSync(new Uint8Array(TEXT)));
  const count = (): number => readdirSync("/proc/self/fd").length;
  const before = count();
  for (let i = 0; i < 5; i++) await validate(path);
  await validate(file("cut.gz", Bun.gzipSync(new Uint8Array(TEXT)).subarray(0, 5000)));
  expect(count()).toBe(before);
});

test("text, JSON and flow sets are not taken for compressed", async () => {
  for (const text of ["", "in_port(1) 2", "{}", "(", "P*", "\ufeffin_port(1)"]) {
    expect(compressionOf(utf8(text))).toBeUndefined();
  }
  expect(compressionOf((await compile(sampleLine(1))).bytes)).toBeUndefined();
  // What pzstd writes first.
  expect(compressionOf(new Uint8Array([0x50, 0x2a, 0x4d, 0x18]))).toBe("zstd");
});
