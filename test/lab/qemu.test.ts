import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peerPath } from "../../src/lab/index.ts";
import { qemuWords } from "../../src/lab/qemu.ts";
import { runningLabs } from "../../src/lab/runs.ts";
import { FETCH_TIMEOUT_MS, endLabs, inLab, writesNothing } from "./harness.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless } from "../runner/skip.ts";

setDefaultTimeout(limit(240));

/** QEMU boots with emulation in 5–20 s, so its tests run only on request. */
const WHY_NOT =
  process.env["MILLRACE_TEST_QEMU"] === "1" ? undefined : "QEMU is for npm run test:long";

const boot = {
  qemu: "/usr/bin/qemu system",
  virtiofsd: "/v",
  kernel: "/c/a b/vmlinuz",
  mebibytes: 700,
  processors: 2,
  folder: "/c/runs/1",
  init: "/c/runs/1/init",
  root: "rw",
} as const;

test("QEMU's command line keeps paths whole, and uses /dev/kvm only when told", () => {
  const words = qemuWords({ ...boot, accelerator: "tcg" });
  expect(words[0]).toBe(boot.qemu);
  expect(words).toContain(boot.kernel);
  expect(words.join(" ")).toContain("-accel tcg,thread=multi -cpu max -smp 2 -m 700 ");
  expect(words.join(" ")).not.toContain("kvm");
  expect(words.at(-1)).toContain("rootfstype=virtiofs root=host rw init=/c/runs/1/init");
  expect(qemuWords({ ...boot, accelerator: "kvm" }).join(" ")).toContain("-accel kvm -cpu host ");
});

describeUnless(WHY_NOT)("a command in QEMU", () => {
  let folder = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "millrace qemu's-"));
    await peerPath(["ip"]);
  }, FETCH_TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(endLabs);

  test("has the interface that User Mode Linux has", async () => {
    const bytes = Buffer.from(
      Uint8Array.from({ length: 300_001 }, (_, i) => (i * 31 + (i >> 8)) & 0xff),
    );
    const script = `
      set -e
      cd "$1"; [ "$2" = "it's" ]; [ "$ODD" = "a'b" ]; [ "$TMPDIR" = /run/tmp ]; touch $TMPDIR/a
      [ "$(pwd)" = "$PWD" ]; command -v bun >/dev/null; [ "$(nproc)" -ge 1 ]
      for m in veth dummy tun nlmon vxlan geneve ip_gre vport-vxlan vport-geneve vport-gre \\
        nf_conntrack_netlink nf_conntrack_ftp cls_flower; do modprobe $m; done
      ip link add gt0 type gretap external; ip -o addr show lo | grep -q 127.0.0.1
      [ -d /sys/module/openvswitch ]
      tee copy | tee /dev/stderr
      exit 9`;
    const said = await inLab(["sh", "-c", script, "sh", folder, "it's"], {
      kernel: "qemu",
      env: { ...process.env, ODD: "a'b" },
      stdin: bytes,
    });
    expect(said).toMatchObject({ exitCode: 9, kernel: "qemu", timedOut: false });
    expect(said.release).toStartWith("6.");
    expect(Buffer.from(said.stdout).equals(bytes)).toBe(true);
    expect(Buffer.from(said.stderr).equals(bytes)).toBe(true);
    expect(readFileSync(join(folder, "copy")).equals(bytes)).toBe(true);
  });

  test("leaves the disk as it is where it may only read", async () => {
    await writesNothing("qemu", folder);
  });

  test("is ended at its time limit, and leaves nothing", async () => {
    const said = await inLab(["sh", "-c", "echo early; sleep 1000 & wait"], {
      kernel: "qemu",
      timeoutMs: limit(8),
    });
    expect(said).toMatchObject({ exitCode: 124, out: "early\n" });
    expect(runningLabs().filter(({ owner }) => owner === process.pid)).toEqual([]);
  });
});
