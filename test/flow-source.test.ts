import { expect, test } from "bun:test";
import { mkdtempSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inputOf, synchronousInput } from "../src/flow-source.ts";
import { type ByteSource, UnreadableInputError } from "../src/format/source.ts";

// Of one length: the size of a blob does not tell.
const OTHER = "what the disk has";
const HELD = "what the blob has";

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "millrace-source-"));

  /** Makes a file. @returns its path */
  file(name: string, content: string = OTHER): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

async function contentOf(source: ByteSource): Promise<string> {
  const buffer = new Uint8Array(1 << 16);
  let filled = 0;
  for (;;) {
    const count = await source.read(buffer, filled);
    if (count === 0) break;
    filled += count;
  }
  source.close();
  return new TextDecoder().decode(buffer.subarray(0, filled));
}

const contentOfBlob = (blob: Blob): Promise<string> => contentOf(inputOf(blob).source);

test("the name of a blob opens no file", async () => {
  using folder = new Folder();
  const path = folder.file("flows.txt");
  const form = new FormData();
  form.set("upload", new Blob([HELD]), path);
  const request = new Request("http://localhost/", { method: "POST", body: form });
  const upload = (await request.formData()).get("upload");
  const named = [
    new File([HELD], path),
    new File([HELD], "flows.txt"),
    new File([HELD], `FileRef ("${path}")`),
    upload instanceof Blob ? upload : expect.unreachable(),
    Object.assign(new Blob([HELD]), { name: path }),
    Object.assign(new Blob([HELD], { type: `FileRef ("${path}")` }), { name: path }),
    new Blob([HELD]),
  ];
  const before = process.cwd();
  process.chdir(folder.path);
  try {
    for (const blob of named) {
      const { source } = inputOf(blob);
      expect(source.path).toBeUndefined();
      expect(await contentOf(source)).toBe(HELD);
    }
  } finally {
    process.chdir(before);
  }
  // A file within a File is read, another one of the File's name is not.
  const inside = folder.file("inside.txt", HELD);
  expect(await contentOfBlob(new File([Bun.file(inside)], path))).toBe(HELD);
  expect(await contentOfBlob(Object.assign(Bun.file(inside), { name: path }))).toBe(HELD);
});

test("a whole Bun.file is read by its path, whatever it is called", async () => {
  using folder = new Folder();
  for (const name of ["flows.txt", 'a"b', "a\nb", "ä", 'x") { offset: 3 }', "\u001b[31m"]) {
    const path = folder.file(name);
    for (const blob of [Bun.file(path), Bun.file(path, { type: "a/b" }), Bun.file(path).slice()]) {
      const { source } = inputOf(blob);
      expect(source.path).toBe(path);
      expect(await contentOf(source)).toBe(OTHER);
    }
  }
  expect(await contentOf(inputOf(Bun.pathToFileURL(folder.file("url"))).source)).toBe(OTHER);
  expect(inputOf(Bun.file(folder.file("empty", ""))).source.path).toEndWith("empty");
  // It may have grown since it was loaded last.
  const file = Bun.file(folder.file("grows", "1"));
  expect(await contentOfBlob(file)).toBe("1");
  folder.file("grows", "12");
  expect(await contentOfBlob(file)).toBe("12");
});

test("a part of a file is that part", async () => {
  using folder = new Folder();
  const path = folder.file("letters", "abcdefghij");
  const file = Bun.file(path);
  const parts: readonly [Blob, string][] = [
    [file.slice(0, 3), "abc"],
    [file.slice(0, 3, "text/plain"), "abc"],
    [file.slice(3), "defghij"],
    [file.slice(3, 5), "de"],
    [file.slice(2, 8).slice(1, 3), "de"],
    [file.slice(0, 99), "abcdefghij"],
    [file.slice(5, 2), ""],
    [new File([file.slice(1, 3)], path), "bc"],
  ];
  for (const [blob, content] of parts) expect(await contentOfBlob(blob)).toBe(content);
});

test("a part that counts from the end is that part, or an error", async () => {
  using folder = new Folder();
  const path = folder.file("letters", "abcdefghij");
  expect(() => inputOf(Bun.file(path).slice(-3))).toThrow(UnreadableInputError);
  const file = Bun.file(path);
  expect(file.size).toBe(10);
  expect(await contentOfBlob(file.slice(-3))).toBe("hij");
  expect(await contentOfBlob(new Blob(["abcdefghij"]).slice(-3))).toBe("hij");
});

test("a file by its descriptor is read, also where it has no name any more", async () => {
  using folder = new Folder();
  const path = folder.file("open", HELD);
  const fd = openSync(path, "r");
  renameSync(path, `${path}.gone`);
  folder.file("open");
  expect(await contentOfBlob(Bun.file(fd))).toBe(HELD);
  expect(await contentOfBlob(Bun.file(fd).slice(0, 4))).toBe("what");
});

test("standard input is read, from a pipe and from a file", async () => {
  using folder = new Folder();
  const path = folder.file("in", HELD);
  const script = `
    const { inputOf } = await import(${JSON.stringify(join(import.meta.dir, "../src/flow-source.ts"))});
    const { source } = inputOf(Bun.stdin);
    const buffer = new Uint8Array(4096);
    let filled = 0;
    for (let n; (n = await source.read(buffer, filled)) > 0;) filled += n;
    process.stdout.write(buffer.subarray(0, filled));`;
  for (const stdin of [new Blob([HELD]), Bun.file(path)]) {
    const child = Bun.spawn([process.execPath, "-e", script], { stdin, stdout: "pipe" });
    expect(await new Response(child.stdout).text()).toBe(HELD);
  }
});

test("what cannot be read is said as the file's fault", () => {
  using folder = new Folder();
  const missing = join(folder.path, "missing");
  expect(() => inputOf(Bun.file(missing))).toThrow(`cannot read ${missing}: there is no such file`);
  expect(() => inputOf(Bun.file(folder.path))).toThrow("it is a folder");
});

test("a string is the path of a file, waited for or not; one that is none says so", async () => {
  using folder = new Folder();
  const path = folder.file("flows.txt");
  const inputs = [inputOf(path), synchronousInput(path)];
  for (const input of inputs) {
    expect("source" in input ? await contentOf(input.source) : "no file").toBe(OTHER);
  }
  const missing = join(folder.path, "missing.txt");
  for (const open of [inputOf, synchronousInput]) {
    expect(() => open(missing)).toThrow(`cannot read ${missing}: there is no such file`);
    // A flow in text is no path.
    expect(() => open("in_port(1),eth() 2")).toThrow(UnreadableInputError);
  }
});
