import { afterAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkManifest, hasManifest, writeManifest } from "../../src/lab/manifest.ts";
import { folderFault, temporaryFolder, wayFault } from "../../src/lab/trust.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless, testUnless } from "../runner/skip.ts";

setDefaultTimeout(limit(120));

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");
const IS_ROOT = process.geteuid?.() === 0;
const NOT_ROOT = IS_ROOT ? undefined : "only root can give files away";
const NO_X64 = process.arch === "x64" ? undefined : "User Mode Linux is for x86-64";
const OTHER = 12345;
const root = mkdtempSync(join(tmpdir(), "millrace-trust-"));
let folder = root;
let count = 0;

beforeEach(() => {
  folder = join(root, `${count++}`);
  mkdirSync(folder, { mode: 0o700 });
});
afterAll(() => rmSync(root, { recursive: true }));

function made(name: string, mode = 0o700): string {
  const path = join(folder, name);
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

test("a temporary folder is made where nobody can replace it", () => {
  const before = process.env["TMPDIR"];
  try {
    process.env["TMPDIR"] = made("open", 0o777);
    expect(() => temporaryFolder("x-")).toThrow("others can replace what is in");
    process.env["TMPDIR"] = made("sticky", 0o1777);
    const path = temporaryFolder("x-");
    expect(path).toStartWith(join(folder, "sticky/x-"));
    expect(statSync(path).mode & 0o777).toBe(0o700);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
});

describe("a folder", () => {
  test("of one's own, closed to others, is trusted, and one that is not there yet", () => {
    expect(folderFault(made("own"))).toBeUndefined();
    expect(folderFault(made("read", 0o755))).toBeUndefined();
    expect(folderFault(join(folder, "new/below"))).toBeUndefined();
  });

  test("that is a link, no folder or open to others is not", () => {
    const own = made("own");
    symlinkSync(own, join(folder, "link"));
    writeFileSync(join(folder, "file"), "");
    expect(folderFault(join(folder, "link"))).toBe(`${folder}/link is a link`);
    expect(folderFault(join(folder, "file"))).toBe(`${folder}/file is not a folder`);
    for (const mode of [0o770, 0o702, 0o1777, 0o720])
      expect(folderFault(made(`open${mode}`, mode))).toEndWith("can be written by others");
  });

  test("below one that others can write is not, unless that one is sticky", () => {
    const open = made("open", 0o777);
    const below = join(open, "below");
    mkdirSync(below, { mode: 0o700 });
    for (const path of [below, join(open, "new"), join(below, "new/deep")]) {
      expect(folderFault(path)).toBe(`others can replace what is in ${open}`);
    }
    expect(wayFault(open)).toBe(`others can replace what is in ${open}`);
    chmodSync(open, 0o1777);
    expect([folderFault(below), folderFault(join(below, "new")), wayFault(open)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("is looked for behind links on its way", () => {
    const open = made("open", 0o777);
    mkdirSync(join(open, "own"), { mode: 0o700 });
    symlinkSync(open, join(folder, "way"));
    expect(folderFault(join(folder, "way/own"))).toBe(`others can replace what is in ${open}`);
    symlinkSync("circle", join(folder, "circle"));
    expect(folderFault(join(folder, "circle/own"))).toContain("too many links");
    symlinkSync("own", join(open, "inner"));
    chmodSync(open, 0o755);
    expect(folderFault(join(folder, "way/inner/deep"))).toBeUndefined();
  });

  testUnless(NOT_ROOT)("of somebody else is not, nor what lies in it, or behind their link", () => {
    const sticky = made("sticky", 0o1777);
    const theirs = join(sticky, "theirs");
    mkdirSync(join(theirs, "mine"), { recursive: true, mode: 0o700 });
    chownSync(theirs, OTHER, OTHER);
    expect(folderFault(theirs)).toBe(`${theirs} belongs to user ${OTHER}`);
    expect(folderFault(join(theirs, "mine"))).toBe(`${theirs} belongs to user ${OTHER}`);
    symlinkSync(made("own"), join(sticky, "link"));
    lchownSync(join(sticky, "link"), OTHER, OTHER);
    expect(folderFault(join(sticky, "link/below"))).toBe(`${sticky}/link belongs to user ${OTHER}`);
  });
});

/** A tree as the lab unpacks one, whose kernel tells that it was started. */
function fakeTree(cache: string): string {
  const tree = join(cache, "millrace/uml/user-mode-linux_0");
  const modules = join(tree, "usr/lib/uml/modules/6.1");
  for (const path of ["usr/bin", "bin", "applets"])
    mkdirSync(join(tree, path), { recursive: true, mode: 0o700 });
  mkdirSync(modules, { recursive: true });
  for (const name of ["modules.dep", "modules.alias", "modules.builtin"])
    writeFileSync(join(modules, name), "");
  writeFileSync(join(tree, "bin/busybox"), "#!/bin/sh\n", { mode: 0o755 });
  symlinkSync("../bin/busybox", join(tree, "applets/ls"));
  writeFileSync(join(tree, "modules.index"), "index");
  const kernel = `#!/bin/sh\ntouch ${join(folder, "started")}\n`;
  writeFileSync(join(tree, "usr/bin/linux.uml"), kernel, { mode: 0o755 });
  writeManifest(tree);
  return tree;
}

function boot(env: Record<string, string | undefined>): { started: boolean; said: string } {
  rmSync(join(folder, "started"), { force: true });
  const child = Bun.spawnSync([MILLRACE, "lab", "run", "--kernel", "uml", "--", "true"], {
    env: { ...process.env, HOME: undefined, XDG_CACHE_HOME: undefined, ...env },
    timeout: limit(60),
    stderr: "pipe",
  });
  expect(child.exitCode).toBe(125);
  return { started: existsSync(join(folder, "started")), said: child.stderr.toString() };
}

describeUnless(NO_X64)("a kernel in the cache", () => {
  test("is started as it was unpacked, and not where it was changed", () => {
    const tree = fakeTree(folder);
    const kernel = join(tree, "usr/bin/linux.uml");
    const index = join(tree, "modules.index");
    expect(boot({ XDG_CACHE_HOME: folder }).started).toBe(true);
    const { mtime } = statSync(kernel);
    const text = readFileSync(kernel, "utf8");
    const changes: [what: string, change: () => void, undo: () => void][] = [
      [
        "usr/bin/linux.uml was changed",
        () => {
          // Of the same length and time.
          writeFileSync(kernel, text.replace("touch", "touch").replace("#!/bin/sh", "#! /bin/s"));
          utimesSync(kernel, mtime, mtime);
        },
        () => writeFileSync(kernel, text),
      ],
      [
        "bin/new was added",
        () => writeFileSync(join(tree, "bin/new"), ""),
        () => unlinkSync(join(tree, "bin/new")),
      ],
      [
        "modules.index is missing",
        () => renameSync(index, `${folder}/kept`),
        () => renameSync(`${folder}/kept`, index),
      ],
      ["modules.index was changed", () => chmodSync(index, 0o777), () => chmodSync(index, 0o644)],
      [
        "manifest.json cannot be read",
        () => writeFileSync(join(tree, "manifest.json"), "{"),
        () => writeManifest(tree),
      ],
    ];
    for (const [what, change, undo] of changes) {
      change();
      const { started, said } = boot({ XDG_CACHE_HOME: folder });
      expect([what, started]).toEqual([what, false]);
      expect(said).toContain(`${tree} is not as it was unpacked: ${what}`);
      undo();
      expect(boot({ XDG_CACHE_HOME: folder }).started).toBe(true);
    }
  });

  test("is not taken from where others could put it", () => {
    fakeTree(folder);
    const temporary = made("tmp");
    const planted = join(temporary, `millrace-${process.getuid?.()}`);
    const plant = (): void => renameSync(join(folder, "millrace"), planted);
    plant();
    expect(boot({ TMPDIR: temporary }).started).toBe(true);
    renameSync(planted, join(folder, "millrace"));
    symlinkSync(join(folder, "millrace"), planted);
    const link = boot({ TMPDIR: temporary });
    expect([link.started, link.said]).toEqual([
      false,
      expect.stringContaining(`not trusted: ${planted} is a link`),
    ]);
    unlinkSync(planted);
    plant();
    chmodSync(planted, 0o770);
    expect(boot({ TMPDIR: temporary }).said).toContain("can be written by others");
    chmodSync(planted, 0o700);
    chmodSync(temporary, 0o777);
    expect(boot({ TMPDIR: temporary })).toMatchObject({ started: false });
    chmodSync(temporary, 0o1777);
    expect(boot({ TMPDIR: temporary }).started).toBe(true);
    if (!IS_ROOT) return;
    chownSync(planted, OTHER, OTHER);
    const theirs = boot({ TMPDIR: temporary });
    expect([theirs.started, theirs.said]).toEqual([
      false,
      expect.stringContaining(`${planted} belongs to user ${OTHER}`),
    ]);
  });
});

describe("a manifest", () => {
  test("takes a copy for the same, and notes it", () => {
    const tree = fakeTree(folder);
    const copy = join(folder, "copy");
    expect(Bun.spawnSync(["cp", "-a", tree, copy]).exitCode).toBe(0);
    const before = readFileSync(join(copy, "manifest.json"), "utf8");
    checkManifest(copy, []);
    const after = readFileSync(join(copy, "manifest.json"), "utf8");
    expect(after).not.toBe(before);
    checkManifest(copy, []);
    expect(readFileSync(join(copy, "manifest.json"), "utf8")).toBe(after);
    // Whoever writes can set the time of that, but not the time of the change.
    const index = join(tree, "modules.index");
    utimesSync(index, 1e9, 1e9);
    writeManifest(tree);
    writeFileSync(index, "xedni");
    utimesSync(index, 1e9, 1e9);
    expect(() => checkManifest(tree, [])).toThrow("modules.index was changed");
    // With all contents looked at, one that differs is found in any file.
    copyFileSync(join(tree, "modules.index"), join(copy, "bin/busybox"));
    expect(() => checkManifest(copy, [])).toThrow("bin/busybox was changed");
  });

  test("reads the programs that start everything, whatever their times say", () => {
    const tree = fakeTree(folder);
    const manifest = join(tree, "manifest.json");
    const kernel = join(tree, "usr/bin/linux.uml");
    const entries = JSON.parse(readFileSync(manifest, "utf8"));
    entries["usr/bin/linux.uml"].sha256 = "0";
    writeFileSync(manifest, JSON.stringify(entries));
    checkManifest(tree, []);
    expect(() => checkManifest(tree, [kernel])).toThrow("usr/bin/linux.uml was changed");
    mkdirSync(join(tree, "usr/bin/__pycache__"));
    writeFileSync(join(tree, "usr/bin/__pycache__/x.pyc"), "");
    checkManifest(tree, []);
    expect([hasManifest(tree), hasManifest(folder)]).toEqual([true, false]);
  });
});
