import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startVm } from "../../src/lab/vm.ts";

test("a kernel is ended before it has a process group of its own, too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-vm-"));
  const bin = join(folder, "bin");
  mkdirSync(bin);
  // A machine under load: setsid takes its time.
  writeFileSync(join(bin, "setsid"), '#!/bin/sh\nsleep 1\nexec /usr/bin/setsid "$@"\n');
  chmodSync(join(bin, "setsid"), 0o755);
  const env = { PATH: `${bin}:${process.env["PATH"]}` };
  const vm = startVm(["sleep", "30"], folder, env);
  while (!existsSync(join(folder, "kernel.pid"))) await Bun.sleep(1);
  await vm.stop();
  expect(existsSync(folder)).toBe(false);
});
