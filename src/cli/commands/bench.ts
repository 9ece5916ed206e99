import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { AS_BUN, IN_BINARY, writeBun } from "../../lab/own-programs.ts";
import { temporaryFolder } from "../../lab/trust.ts";
import { EndingSignals } from "../../sys/signals.ts";

/** The folder in which the single binary carries the files of the suite; `pack/compile.ts` puts them in. */
export const SUITE = "suite";

/** `millrace bench`: the suite is a separate program that reads its own options. */
export function benchCommand(): Command {
  return new Command("bench")
    .description("Measure millrace against the kernel's limit and against its peers.")
    .argument("[ARGUMENTS...]", "those of the suite; see --help")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: string[]) => {
      process.exitCode = IN_BINARY
        ? await runUnpacked(args)
        : await run(join(import.meta.dir, "../../.."), args, process.env);
    });
}

// The suite starts many programs from files: the binary unpacks them, and runs them as Bun.
async function runUnpacked(args: readonly string[]): Promise<number> {
  // A signal that ends the suite must not leave the files behind.
  using _ = new EndingSignals();
  const root = temporaryFolder("millrace-suite-");
  try {
    for (const file of Bun.embeddedFiles) {
      const name = "name" in file ? String(file.name) : "";
      if (name.startsWith(`${SUITE}/`)) {
        await Bun.write(join(root, name.slice(SUITE.length)), file);
      }
    }
    for (const launcher of ["millrace", "bun"]) chmodSync(join(root, "src/cli", launcher), 0o755);
    const bun = join(root, "node_modules/@oven/bun-linux-carried/bin/bun");
    mkdirSync(dirname(bun), { recursive: true });
    writeBun(bun);
    return await run(root, args, { ...process.env, ...AS_BUN });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function run(
  root: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const suite = join(root, "bench/main.ts");
  // Most of its time the suite waits for programs, so a signal simply ends it: what it leaves in
  // its folder is removed here.
  using signals = new EndingSignals();
  const temporary = temporaryFolder("millrace-bench-");
  try {
    const child = Bun.spawn([process.execPath, suite, ...args], {
      stdio: ["inherit", "inherit", "inherit"],
      env: { ...env, TMPDIR: temporary },
    });
    signals.signal.addEventListener("abort", () => child.kill(signals.signal.reason));
    return await child.exited;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
