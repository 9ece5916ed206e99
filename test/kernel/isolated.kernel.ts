import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath } from "../../src/index.ts";
import { MILLRACE, witness } from "./lab.ts";

const ISOLATED = join(import.meta.dir, "isolated");

/** Leaves everything that a failed test may leave, under names that the next test needs. */
const LEAVES = `
  set -e
  ip netns add left0
  ip link add left1 type dummy
  "$MILLRACE" dp add left2
  echo >"$TMPDIR/left3"
  sleep 4711 &
  busybox setsid sleep 4711 >/dev/null 2>&1 </dev/null &
  exit 3`;

/** Command lines of all processes. */
function commands(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
      } catch {
        return "";
      }
    });
}

test("what a test leaves behind is gone with it, and its status is told", () => {
  for (let round = 0; round < 2; round++) {
    const { exitCode, stderr } = Bun.spawnSync(["sh", ISOLATED, "sh", "-c", LEAVES], {
      stderr: "pipe",
      env: { ...process.env, MILLRACE },
    });
    expect([stderr.toString(), exitCode]).toEqual(["", 3]);
    expect(commands().filter((line) => line.includes("4711"))).toEqual([]);
  }
  expect(Datapath.list().map(({ name }) => name)).toEqual([]);
  expect(witness("ip", "netns", "list")).toBe("");
  expect(witness("ip", "-o", "link")).not.toContain("left");
  expect(readdirSync(tmpdir())).not.toContain("left3");
});
