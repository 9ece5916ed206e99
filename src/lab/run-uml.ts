import { planUmlMemory } from "./memory.ts";
import type { ResolvedOptions } from "./options.ts";
import { runInGuest } from "./run-guest.ts";
import type { SessionResult } from "./session.ts";
import { UML_CHANNELS, umlCommand, umlEnvironment } from "./uml.ts";
import { umlTree } from "./uml-tree.ts";

// Runs a command in User Mode Linux.

const BOOT_TIMEOUT_MS = 60_000;

/** Runs a command in User Mode Linux. Fetches the kernel if it is not in the cache. */
export async function runInUml(options: ResolvedOptions): Promise<SessionResult> {
  const tree = await umlTree(options);
  const memory = planUmlMemory(options.memoryMiB);
  const { mebibytes } = memory;
  return runInGuest(
    {
      kind: "uml",
      title: "User Mode Linux",
      remedy:
        "It traces its own processes: a container must allow ptrace (--cap-add SYS_PTRACE, or a seccomp profile that does).",
      tree,
      channels: UML_CHANNELS,
      bootTimeoutMs: BOOT_TIMEOUT_MS,
      command: (folder, init, root) =>
        umlCommand({ kernel: tree.kernel, mebibytes, folder, init, root }),
      env: (folder) => umlEnvironment(memory.folder, folder),
    },
    options,
  );
}
