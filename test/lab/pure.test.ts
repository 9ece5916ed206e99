import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { aptOptions, bytesOfPackages, parseNewPackages } from "../../src/lab/apt.ts";
import { cacheCandidates, visibleInGuest } from "../../src/lab/cache.ts";
import { guestEnvironment } from "../../src/lab/environment.ts";
import { sendInput } from "../../src/lab/input.ts";
import { shellQuote } from "../../src/lab/tool.ts";
import { watchBytes } from "../../src/lab/arriving.ts";
import { umlCommand } from "../../src/lab/uml.ts";
import { limit } from "../runner/limit.ts";

test("a word survives the shell, whatever it holds", () => {
  const word = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const script = `printf '%s\\0' ${words.map(shellQuote).join(" ")}`;
      const said = Bun.spawnSync(["sh", "-c", script]).stdout.toString();
      return said === words.map((text) => `${text}\0`).join("");
    }),
    { seed: 11, numRuns: 50 },
  );
});

test("what apt would install is read from its URIs", () => {
  const output = `Reading package lists...
The following NEW packages will be installed:
  libxdp1 conntrack
'http://deb/pool/main/x/libxdp1_1.3.1-1_amd64.deb' libxdp1_1.3.1-1_amd64.deb 56284 MD5Sum:54
'http://deb/pool/main/c/conntrack_1.4.7-1%2bb2_amd64.deb' conntrack_1%3a1.4.7-1+b2_amd64.deb 35240 SHA256:cc
`;
  expect(parseNewPackages(output)).toEqual(["libxdp1", "conntrack"]);
  const sizes = output.matchAll(/\.deb (\d+)/g).map(([, size]) => Number(size));
  expect(bytesOfPackages(output)).toBe(sizes.reduce((sum, size) => sum + size, 0));
  expect(bytesOfPackages(output)).toBeGreaterThan(0);
});

test("apt keeps its state to the lab's folder, and its signature checks", () => {
  const options = aptOptions("/c/apt", "private").join(" ");
  expect(options).toContain("Dir::State=/c/apt/state");
  expect(options).not.toContain("/var/lib/apt/lists");
  expect(options).not.toMatch(/allow-?unauth|trusted|verify/i);
  expect(aptOptions("/c/apt", "machine").join(" ")).toContain(
    "Dir::State::lists=/var/lib/apt/lists",
  );
});

describe("the cache folder", () => {
  test("follows XDG, then HOME, and never lies where a guest mounts its own", () => {
    expect(cacheCandidates({ XDG_CACHE_HOME: "/x", HOME: "/h" }).slice(0, 2)).toEqual([
      "/x/millrace",
      "/h/.cache/millrace",
    ]);
    expect(cacheCandidates({ XDG_CACHE_HOME: "relative", HOME: "/h" })[0]).toBe(
      "/h/.cache/millrace",
    );
    expect(cacheCandidates({ XDG_CACHE_HOME: "/run/user/7", HOME: "/dev/shm/h" })).not.toContain(
      "/run/user/7/millrace",
    );
    expect(visibleInGuest("/runner/x")).toBe(true);
    expect(visibleInGuest("/run")).toBe(false);
  });
});

describe("the environment in a guest", () => {
  test("has the lab's and the project's programs before the caller's, the spare ones last", () => {
    const env = guestEnvironment(
      { PATH: "/mine:/usr/bin", A: "1" },
      ["/first", "/second"],
      ["/spare"],
    );
    const path = env["PATH"]?.split(":") ?? [];
    expect(path.slice(0, 3)).toEqual(["/first", "/second", "/mine"]);
    expect(path.at(-1)).toBe("/spare");
    expect(path.filter((folder) => folder === "/usr/bin")).toHaveLength(1);
    expect(path).toContain("/usr/sbin");
    expect(env["A"]).toBe("1");
  });

  test("names no place of the host's that the guest covers", () => {
    const env = guestEnvironment(
      { XDG_RUNTIME_DIR: "/run/user/0", TMPDIR: "/t", B: undefined },
      [],
      [],
    );
    expect(Object.keys(env).sort()).toEqual(["PATH", "TMPDIR"]);
    expect(env["TMPDIR"]).not.toBe("/t");
  });
});

test("User Mode Linux keeps to the run's folder, and its messages off the channels", () => {
  const words = umlCommand({
    kernel: "/k/linux",
    mebibytes: 700,
    folder: "/c/runs/1",
    init: "/c/runs/1/init",
    root: "ro",
  });
  expect(words[0]).toBe("/k/linux");
  expect(words).toContain("mem=700M");
  expect(words).toContain("uml_dir=/c/runs/1/");
  expect(words).toContain("init=/c/runs/1/init");
  expect([words.includes("ro"), words.includes("rw")]).toEqual([true, false]);
  expect(words.filter((word) => word.startsWith("ssl"))).toEqual([
    "ssl0=fd:5",
    "ssl1=null,fd:6",
    "ssl2=null,fd:7",
    "ssl3=fd:3",
  ]);
});

test("input arrives whole and in order, in pieces of a MiB at most", async () => {
  const chunk = fc.uint8Array({ maxLength: 300 });
  const sizes = fc.array(fc.tuple(chunk, fc.constantFrom(1, 7000)), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(sizes, async (parts) => {
      const chunks = parts.map(([bytes, times]) => Buffer.concat(Array(times).fill(bytes)));
      const pieces: Uint8Array[] = [];
      let ended = 0;
      await sendInput(iterate(chunks), {
        send: async (piece) => pieces.push(Buffer.from(piece)) > 0,
        end: () => (ended += 1),
        took: () => undefined,
      });
      expect(Buffer.concat(pieces).equals(Buffer.concat(chunks))).toBe(true);
      expect(pieces.every((piece) => piece.length <= 1024 * 1024)).toBe(true);
      expect(ended).toBe(1);
    }),
    { seed: 3, numRuns: 20 },
  );
});

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

test("bytes that arrive in a folder are told again and again, until the end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-arriving-"));
  const told: number[] = [];
  {
    using _ = watchBytes(folder, (bytes) => told.push(bytes));
    mkdirSync(join(folder, "partial"));
    writeFileSync(join(folder, "partial", "a"), "12345");
    writeFileSync(join(folder, "b"), "123");
    const due = performance.now() + limit(20);
    while (!told.includes(8) && performance.now() < due) await Bun.sleep(10);
    // What is gone in between is no error.
    rmSync(folder, { recursive: true });
    while (told.at(-1) !== 0 && performance.now() < due) await Bun.sleep(10);
  }
  expect(told).toContain(8);
  expect(told.at(-1)).toBe(0);
  const { length } = told;
  await Bun.sleep(600);
  expect(told.length).toBe(length);
});
