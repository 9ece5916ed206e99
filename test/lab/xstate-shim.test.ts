import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { umlEnvironment } from "../../src/lab/uml.ts";
import { describeUnless } from "../runner/skip.ts";
import { wantsXstateShim, xstateShim } from "../../src/lab/xstate-shim.ts";

let folder = "";
let shim = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-shim-"));
  shim = join(folder, "xstate.so");
  writeFileSync(shim, xstateShim());
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Asks for what ptrace() gives for some requests to a process that is not traced: request, pid, addr, data.
const CALLS = [
  [1, 999_999, 0, 0],
  [3, 999_999, 0, 0],
  [7, 1, 0, 0],
  [0x4205, 999_999, 0x202, 0],
  [0x4204, 999_999, 0x202, 0],
];
const SCRIPT = `
import { dlopen, toArrayBuffer } from "bun:ffi";
const { symbols } = dlopen(process.env.LD_PRELOAD ?? "libc.so.6", {
  ptrace: { args: ["i32", "i64", "i64", "i64"], returns: "i64" },
});
const { symbols: libc } = dlopen("libc.so.6", { __errno_location: { args: [], returns: "ptr" } });
const errno = new Int32Array(toArrayBuffer(libc.__errno_location(), 0, 4));
for (const [request, pid, address, data] of ${JSON.stringify(CALLS)}) {
  errno[0] = 0;
  const result = symbols.ptrace(request, pid, address, data);
  console.log(String(result), errno[0]);
}`;

function run(env: Record<string, string>): string {
  const child = Bun.spawnSync([process.execPath, "-e", SCRIPT], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdout: "pipe",
    stderr: "inherit",
  });
  return child.stdout.toString();
}

const NO_X64 = process.arch === "x64" ? undefined : "it is for x86-64";

describeUnless(NO_X64)("the object that stands before ptrace(), on x86-64", () => {
  test("a process starts with it", () => {
    const env = { LD_PRELOAD: shim, LD_BIND_NOW: "1" };
    const child = Bun.spawnSync(["/bin/sh", "-c", "echo here"], { env, stderr: "pipe" });
    expect([child.stdout.toString(), child.stderr.toString()]).toEqual(["here\n", ""]);
  });

  test("what it does not change has the result and the errno that libc gives", () => {
    const expected = run({});
    expect(expected.trim().split("\n")).toHaveLength(CALLS.length);
    expect(expected).toContain("-1 3\n");
    expect(run({ LD_PRELOAD: shim })).toBe(expected);
  });
});

test("a processor with AMX wants it", () => {
  const others = "flags\t\t: fpu sse avx512f pku\n";
  expect(wantsXstateShim(others)).toBe(false);
  expect(wantsXstateShim(`processor\t: 0\n${others.trim()} amx_bf16 amx_tile amx_int8\n`)).toBe(
    true,
  );
});

test("whatever the folder of a run is called, its path is no list of objects to load", () => {
  const named = join(folder, "a:b c");
  mkdirSync(named);
  const wanted = wantsXstateShim(readFileSync("/proc/cpuinfo", "utf8"));
  expect(umlEnvironment("/dev/shm", named)["LD_PRELOAD"]).toBe(wanted ? "./xstate.so" : undefined);
});
