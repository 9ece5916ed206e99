import { join } from "node:path";
import { Command } from "commander";

/** `millrace bench`: the suite is a program of its own and reads its own options. */
export function benchCommand(): Command {
  return new Command("bench")
    .description("Measure millrace against the kernel's limit and against its peers.")
    .argument("[ARGUMENTS...]", "of the suite; --help tells them")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: string[]) => {
      const suite = join(import.meta.dir, "../../../bench/main.ts");
      const child = Bun.spawn([process.execPath, suite, ...args], {
        stdio: ["inherit", "inherit", "inherit"],
      });
      process.exitCode = await child.exited;
    });
}
