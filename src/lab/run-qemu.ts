import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { cacheFolder, withLock } from "./cache.ts";
import { LabError } from "./error.ts";
import type { GuestTree } from "./guest.ts";
import { availableMemory, planMemory } from "./memory.ts";
import { resolveOptions, type ResolvedOptions } from "./options.ts";
import {
  findQemu,
  kvmOpens,
  QEMU_CHANNELS,
  qemuCommand,
  type Accelerator,
  type QemuPrograms,
} from "./qemu.ts";
import { qemuTree } from "./qemu-tree.ts";
import { runInGuest } from "./run-guest.ts";
import type { SessionResult } from "./session.ts";

/** With emulation, a boot takes 5–10 s on a quiet machine. */
const BOOT_TIMEOUT_MS = { tcg: 180_000, kvm: 20_000 } as const;
/** The emulator runs each processor in a thread. */
const PROCESSORS_MAX = 2;

/** Runs a command in QEMU on Debian's kernel. Fetches the kernel if it is not in the cache. */
export async function runInQemu(options: ResolvedOptions): Promise<SessionResult> {
  if (process.arch !== "x64") {
    throw new LabError("UNAVAILABLE", `the QEMU lab is for x86-64 only, not ${process.arch}`);
  }
  const programs = findQemu();
  const tree = await qemuTree(options);
  const accelerator = (await kvmWorks(programs, tree, options)) ? "kvm" : "tcg";
  return boot(programs, tree, accelerator, options);
}

async function boot(
  programs: QemuPrograms,
  tree: GuestTree,
  accelerator: Accelerator,
  options: ResolvedOptions,
): Promise<SessionResult> {
  const free = availableMemory();
  // The guest's memory has no file in any folder: the machine's memory is the only limit.
  const places = [{ path: "memory", freeMiB: free, executable: true }];
  const { mebibytes } = planMemory(options.memoryMiB, free, places);
  return runInGuest(
    {
      kind: "qemu",
      remedy: "Its file system needs mount namespaces: unshare(1) --mount must be allowed.",
      title: accelerator === "kvm" ? "QEMU (KVM)" : "QEMU",
      tree,
      channels: QEMU_CHANNELS,
      bootTimeoutMs: BOOT_TIMEOUT_MS[accelerator],
      command: (folder, init, root) =>
        qemuCommand({
          ...programs,
          accelerator,
          kernel: tree.kernel,
          mebibytes,
          processors: Math.min(PROCESSORS_MAX, cpus().length),
          folder,
          init,
          root,
        }),
      env: () => ({ PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" }),
    },
    options,
  );
}

/**
 * Whether a guest really runs with /dev/kvm: on some machines it opens, but the guest hangs.
 *
 * Only a full boot shows that. The answer is kept until the machine boots again.
 */
async function kvmWorks(
  programs: QemuPrograms,
  tree: GuestTree,
  options: ResolvedOptions,
): Promise<boolean> {
  if (!kvmOpens()) return false;
  const file = join(cacheFolder("qemu-kvm"), "verdict");
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return withLock("kvm", async () => {
    const known = verdict(file, bootId);
    if (known !== undefined) return known;
    options.onProgress?.("trying whether /dev/kvm works");
    let works = false;
    try {
      const trial = resolveOptions({
        command: ["true"],
        memoryMiB: 512,
        timeoutMs: BOOT_TIMEOUT_MS.kvm,
        signal: options.signal,
      });
      works = (await boot(programs, tree, "kvm", trial)).exitCode === 0;
    } catch (error) {
      if (!(error instanceof LabError) || error.code === "ABORTED") throw error;
    }
    writeFileSync(file, `${bootId} ${works ? "yes" : "no"}\n`);
    return works;
  });
}

function verdict(file: string, bootId: string): boolean | undefined {
  try {
    const [id, answer] = readFileSync(file, "utf8").trim().split(" ");
    return id === bootId ? answer === "yes" : undefined;
  } catch {
    return undefined;
  }
}
