import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limit } from "../runner/limit.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-apt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * An apt-get without lists of packages that brings a part of them, and of a package, and then waits
 * for a file `go` until it brings the rest.
 */
const APT = `#!/bin/sh
lists=$HOME/lists-are-there
until_told() {
  for _ in $(seq 400); do
    [ -e "$HOME/$1" ] && return
    sleep 0.05
  done
}
case " $* " in
  *" update "*)
    for word; do case $word in Dir::State=*) state=\${word#*=} ;; esac; done
    head -c 1500000 /dev/zero >"$state/lists/partial/part"
    until_told lists
    >"$lists" ;;
  *)
    [ -e "$lists" ] || exit 100
    case " $* " in
      *" --print-uris "*) echo "'http://nowhere/thing_1_all.deb' thing_1_all.deb 3000000 SHA256:0" ;;
      *)
        head -c 2200000 /dev/zero >thing_1_all.deb
        until_told package ;;
    esac ;;
esac
`;

/** Downloads a package, tells what it is told, and lets apt go on when bytes have come. */
const PROGRAM = `
import { writeFileSync } from "node:fs";
import { download } from ${JSON.stringify(join(import.meta.dir, "../../src/lab/apt.ts"))};
const told = new Set();
const tell = (line) => {
  told.add(line);
  if (line.startsWith("fetching package lists: 1.5 MB")) writeFileSync(process.env.HOME + "/lists", "");
  if (line.startsWith("2.2 MB")) writeFileSync(process.env.HOME + "/package", "");
};
await download(["thing"], process.env.HOME + "/into", { onProgress: tell, onWaiting: tell });
console.log([...told].filter((line) => line.includes("MB")).join("\\n"));
`;

test(
  "while lists and packages are fetched it is told how many bytes have come, and of how many",
  () => {
    const programs = join(folder, "programs");
    for (const each of [programs, join(folder, "into")]) mkdirSync(each);
    writeFileSync(join(programs, "apt-get"), APT, { mode: 0o755 });
    const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", PROGRAM], {
      env: { HOME: folder, PATH: `${programs}:/usr/bin:/bin` },
    });
    expect(stderr.toString()).toBe("");
    const told = stdout.toString().trim().split("\n");
    expect(told).toContain("fetching package lists: 1.5 MB");
    expect(told).toContain("downloading thing: 3.0 MB");
    expect(told).toContain("2.2 MB of 3.0 MB");
  },
  limit(60),
);
