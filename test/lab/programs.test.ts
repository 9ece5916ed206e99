import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingPackages, statusWithout } from "../../src/lab/apt.ts";
import { cacheFolder } from "../../src/lab/cache.ts";
import { peerPath } from "../../src/lab/index.ts";
import { FETCH_TIMEOUT_MS, NO_UML, inLab } from "./harness.ts";
import { testUnless } from "../runner/skip.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-programs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LABS_OWN = ["ip", "busybox", "ovs-dpctl", "ovsdb-tool", "ovs-vsctl", "ovs-vswitchd"];

/** A folder of programs that a machine may have under names of the lab's: each fails, and leaves a mark. */
function strangers(names: readonly string[]): { readonly path: string; ran: () => string[] } {
  const [path, marks] = [join(folder, "bin"), join(folder, "marks")];
  for (const each of [path, marks]) mkdirSync(each);
  for (const name of names) {
    const script = `#!/bin/sh\n: >'${join(marks, name)}'\necho '${name} of another version'\nexit 99\n`;
    writeFileSync(join(path, name), script, { mode: 0o755 });
  }
  return { path, ran: () => readdirSync(marks).toSorted() };
}

testUnless(NO_UML)(
  "a lab runs its own programs, whatever the machine has under their names",
  async () => {
    // Without Debian's packages there is no User Mode Linux either.
    const path = await peerPath(LABS_OWN);
    const places = LABS_OWN.map((name) =>
      realpathSync(Bun.which(name, { PATH: path ?? "" }) ?? "/"),
    );
    const cache = `${realpathSync(cacheFolder("peers"))}/`;
    expect(places.filter((place) => !place.startsWith(cache))).toEqual([]);
    const other = strangers([...LABS_OWN, "modprobe", "rmmod", "insmod", "ping", "lsmod", "mount"]);
    const script = `set -e
      ip netns add here; ip -n here link set lo up
      ip netns exec here busybox ping -c 1 127.0.0.1 | busybox grep -o "1 packets received"
      modprobe vport-vxlan; modprobe -r vport_vxlan
      ovs-dpctl add-dp d; ovs-dpctl dump-dps
      for each in ovsdb-tool ovs-vsctl ovs-vswitchd; do command -v "$each"; done | busybox grep -vc "$0"`;
    const env = { ...process.env, PATH: `${other.path}:${process.env["PATH"] ?? ""}` };
    const said = await inLab(["/bin/sh", "-c", script, other.path], { env });
    expect([other.ran(), said.out, said.exitCode]).toEqual([
      [],
      "1 packets received\nsystem@d\n3\n",
      0,
    ]);
  },
  FETCH_TIMEOUT_MS,
);

testUnless(NO_UML)(
  "a package is to be had where the machine has it already",
  async () => {
    // dpkg itself cannot be missing.
    expect(await missingPackages(["dpkg"])).toEqual(["dpkg"]);
  },
  FETCH_TIMEOUT_MS,
);

describe("what apt is told is installed", () => {
  const entry = (name: string, more = ""): string =>
    `Package: ${name}\nStatus: install ok installed\n${more}Version: 9.9\n`;

  test("has none of the packages that are asked for, and all others", () => {
    const status = [
      entry("libc6"),
      entry("busybox-static", "Description: a shell\n and more\n .\n Package: libc6\n"),
      entry("busybox"),
    ].join("\n");
    expect(statusWithout(status, ["busybox-static"])).toBe(
      `${entry("libc6")}\n${entry("busybox")}\n`,
    );
    expect(statusWithout(`${status}\n`, [])).toBe(`${status}\n`);
    expect(statusWithout("", ["busybox"])).toBe("");
  });
});
