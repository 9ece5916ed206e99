import { join } from "node:path";
import { SUITE } from "../../src/cli/commands/bench.ts";
import { ROOT, run } from "./run.ts";
import { laySuite } from "./suite.ts";

/*
 * The command line as a single binary, Bun included. Its modules are compiled beforehand, each command's apart, so that
 * it starts faster than from the source.
 */

/** Compiles the command line of this machine's processor into `file`. Wants what `npm run build` makes. */
export function compileBinary(file: string): void {
  const suite = join(ROOT, "dist", SUITE);
  laySuite(suite);
  run(
    process.execPath,
    "build",
    "--compile",
    // Neither a user's .env nor a bunfig.toml is for this program.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--minify",
    "--splitting",
    "--bytecode",
    "--format=esm",
    `--asset=${suite}`,
    `--outfile=${file}`,
    "src/cli/main.ts",
  );
}
