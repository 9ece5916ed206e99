import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openOutputFile, writeWholeFile } from "../../src/cli/output-file.ts";
import { writeSample } from "../../src/format/sample.ts";
import { testUnless } from "../runner/skip.ts";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");
const IS_ROOT = process.geteuid?.() === 0;
const NOT_ROOT = IS_ROOT ? undefined : "only root can be another user";
const NOBODY = 65534;
const root = mkdtempSync(join(tmpdir(), "millrace-output-"));
let folder = root;
let count = 0;

beforeEach(() => {
  folder = join(root, `${count++}`);
  mkdirSync(folder);
  chmodSync(root, 0o755);
  if (IS_ROOT) chownSync(folder, NOBODY, NOBODY);
});
afterAll(() => rmSync(root, { recursive: true }));

const read = (name: string): string => readFileSync(join(folder, name), "utf8");

function flows(lines: number): string {
  const path = join(folder, "flows.txt");
  writeSample(path, lines);
  return path;
}

/** Runs a script, as nobody where the tests run as root: a fault here would replace the devices of the machine. */
function shell(script: string): { exitCode: number; stdout: string; stderr: string } {
  const nobody = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const child = Bun.spawnSync([...(IS_ROOT ? nobody : []), "bash", "-c", script], {
    cwd: folder,
    env: { ...process.env, MILLRACE },
    stdout: "pipe",
    stderr: "pipe",
  });
  const { exitCode } = child;
  return { exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
}

describe("a file that is written as a whole", () => {
  test("takes its name at its end, and leaves nothing else", () => {
    const path = join(folder, "out");
    writeFileSync(path, "before");
    {
      using file = openOutputFile(path, "-o", "whole");
      file.write(Buffer.from("half"));
      expect(read("out")).toBe("before");
    }
    expect(read("out")).toBe("before");
    expect(readdirSync(folder)).toEqual(["out"]);
    writeWholeFile(path, "-o", "all");
    expect(read("out")).toBe("all");
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  test("is written through no link that waits for it, and over no file", () => {
    const out = join(folder, "out");
    writeFileSync(join(folder, "victim"), "mine");
    symlinkSync("victim", join(folder, "out.part"));
    const done = shell(`"$MILLRACE" compile ${flows(3)} -o out`);
    expect([done.exitCode, done.stderr]).toEqual([0, ""]);
    expect(read("victim")).toBe("mine");
    expect(lstatSync(`${out}.part`).isSymbolicLink()).toBe(true);
    rmSync(`${out}.part`);
    writeFileSync(`${out}.part`, "a user's");
    expect(shell(`"$MILLRACE" compile flows.txt -o out`).exitCode).toBe(0);
    expect(read("out.part")).toBe("a user's");
  });

  test("is the whole work of one, where two write to one name", () => {
    const one = openOutputFile(join(folder, "out"), "-o", "whole");
    const two = openOutputFile(join(folder, "out"), "-o", "whole");
    for (let i = 0; i < 3; i++) {
      one.write(Buffer.from("1"));
      two.write(Buffer.from("2"));
    }
    two.keep();
    one.keep();
    one[Symbol.dispose]();
    two[Symbol.dispose]();
    expect(read("out")).toBe("111");
    expect(readdirSync(folder)).toEqual(["out"]);
    flows(20_000);
    const race = shell(`for i in 1 2 3; do "$MILLRACE" compile flows.txt -o set & done; wait`);
    expect(race.stderr).toBe("");
    const loaded = shell(`"$MILLRACE" load set --dry-run`);
    expect([loaded.exitCode, loaded.stdout]).toEqual([0, expect.stringContaining("20,000 valid")]);
    expect(readdirSync(folder).toSorted()).toEqual(["flows.txt", "out", "set"]);
  });

  test("is as open to others as the one that it replaces, and other names keep that", () => {
    const path = join(folder, "out");
    writeFileSync(path, "before");
    chmodSync(path, 0o640);
    linkSync(path, join(folder, "other"));
    writeWholeFile(path, "-o", "after");
    expect([statSync(path).mode & 0o777, read("out"), read("other")]).toEqual([
      0o640,
      "after",
      "before",
    ]);
  });

  test("follows one's own links, and replaces where they lead", () => {
    mkdirSync(join(folder, "sub"));
    symlinkSync("sub", join(folder, "way"));
    symlinkSync("way/target", join(folder, "first"));
    symlinkSync(join(folder, "first"), join(folder, "out"));
    for (const text of ["new", "again"]) {
      writeWholeFile(join(folder, "out"), "-o", text);
      expect(read("sub/target")).toBe(text);
    }
    expect(lstatSync(join(folder, "out")).isSymbolicLink()).toBe(true);
    symlinkSync("circle", join(folder, "circle"));
    expect(() => writeWholeFile(join(folder, "circle"), "-o", "")).toThrow("too many links");
  });

  testUnless(NOT_ROOT)(
    "follows nobody else's link, and gives a file of others back to them",
    () => {
      const path = join(folder, "out");
      writeFileSync(join(folder, "victim"), "mine");
      symlinkSync("victim", path);
      lchownSync(path, 12345, 12345);
      expect(() => openOutputFile(path, "-o", "whole")).toThrow("-o " + path + ": the link");
      expect(() => openOutputFile(path, "-o", "growing")).toThrow("belongs to another user");
      rmSync(path);
      writeFileSync(path, "theirs");
      chownSync(path, 12345, 54321);
      writeWholeFile(path, "-o", "new");
      expect([statSync(path).uid, statSync(path).gid]).toEqual([12345, 54321]);
      expect(read("victim")).toBe("mine");
    },
  );
});

describe("a file that grows", () => {
  test("is a new one of its name from the beginning", () => {
    const path = join(folder, "out");
    writeFileSync(path, "before");
    linkSync(path, join(folder, "other"));
    const one = openOutputFile(path, "--errors", "growing");
    expect(read("out")).toBe("");
    one.write(Buffer.from("1"));
    expect(read("out")).toBe("1");
    // Another one of the name does not mix with it.
    using two = openOutputFile(path, "--errors", "growing");
    one.write(Buffer.from("1"));
    two.write(Buffer.from("2"));
    one[Symbol.dispose]();
    expect([read("out"), read("other")]).toEqual(["2", "before"]);
    expect(readdirSync(folder).toSorted()).toEqual(["other", "out"]);
  });
});

describe("what is no file to be replaced", () => {
  test("standard output by any name is what the shell made of it", () => {
    flows(3);
    const wanted = shell(`"$MILLRACE" compile flows.txt -o - 2>/dev/null | md5sum`).stdout;
    for (const name of ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]) {
      const script = `echo a >out; { "$MILLRACE" compile flows.txt -o ${name}; echo b; } >>out 2>err`;
      expect(shell(script).exitCode).toBe(0);
      const text = shell(`tail -c +3 out | head -c -2 | md5sum; head -1 out; tail -c 2 out`).stdout;
      expect([name, text]).toEqual([name, `${wanted}a\nb\n`]);
      expect(read("err")).toContain("3 flows of 3 lines");
    }
    symlinkSync("/dev/stdout", join(folder, "link"));
    expect(shell(`"$MILLRACE" compile flows.txt -o link 2>/dev/null | md5sum`).stdout).toBe(wanted);
    const through = shell(`"$MILLRACE" compile flows.txt -o >(md5sum >sum) && sleep 1; cat sum`);
    expect(through.stdout).toContain(wanted);
  });

  test("pipes and devices are written as they are", () => {
    flows(3);
    const script = `mkfifo pipe; md5sum <pipe >sum & "$MILLRACE" compile flows.txt -o pipe; wait; cat sum`;
    const wanted = shell(`"$MILLRACE" compile flows.txt -o - 2>/dev/null | md5sum`).stdout;
    expect(shell(script).stdout).toContain(wanted);
    expect(lstatSync(join(folder, "pipe")).isFIFO()).toBe(true);
    expect(shell(`"$MILLRACE" compile flows.txt -o /dev/null`).exitCode).toBe(0);
    expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
    const full = shell(`"$MILLRACE" compile flows.txt -o /dev/full`);
    expect([full.exitCode, full.stderr]).toEqual([5, expect.stringContaining("no space")]);
  });

  test("folders, missing ones and the input itself are refused", () => {
    flows(3);
    for (const [out, reason] of [
      [".", "it is a folder"],
      ["new/", "it is a folder"],
      ["none/out", "there is no such folder"],
      ["flows.txt/out", "a part of the path is not a folder"],
      ["''", "it names no file"],
      ["/dev/fd/77", "it is not open for writing"],
      ["./flows.txt", "it is the input itself"],
    ]) {
      const { exitCode, stderr } = shell(`"$MILLRACE" compile flows.txt -o ${out}`);
      expect([out, exitCode, stderr.trim().split("\n").length]).toEqual([out, 2, 1]);
      expect(stderr).toContain(`${reason}`);
    }
    expect(shell(`"$MILLRACE" compile - -o flows.txt <flows.txt`).stderr).toContain("itself");
    const errors = `"$MILLRACE" load - --dry-run --errors flows.txt <flows.txt`;
    expect(shell(errors).stderr).toContain("it is the input itself");
    expect(read("flows.txt")).toContain("in_port(1)");
    expect(readdirSync(folder)).toEqual(["flows.txt"]);
  });

  test("where the folder is closed, a file in it that may be written is", () => {
    flows(3);
    for (const name of ["out", "errors", "closed"]) {
      writeFileSync(join(folder, name), "before");
      if (IS_ROOT) chownSync(join(folder, name), NOBODY, NOBODY);
    }
    chmodSync(join(folder, "closed"), 0o444);
    chmodSync(folder, 0o555);
    try {
      expect(shell(`"$MILLRACE" compile flows.txt -o out`)).toMatchObject({
        exitCode: 0,
        stderr: "",
      });
      expect(read("out")).toContain("millrace flow set");
      expect(shell(`"$MILLRACE" load flows.txt --dry-run --errors errors`).exitCode).toBe(0);
      expect(read("errors")).toBe("");
      for (const name of ["new", "closed"]) {
        const { exitCode, stderr } = shell(`"$MILLRACE" compile flows.txt -o ${name}`);
        expect([name, exitCode]).toEqual([name, 2]);
        expect(stderr).toContain("no permission to write it, or in its folder");
      }
      expect(existsSync(join(folder, "new"))).toBe(false);
      expect(read("closed")).toBe("before");
    } finally {
      chmodSync(folder, 0o755);
    }
  });
});
