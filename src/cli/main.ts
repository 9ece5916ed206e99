import { start } from "./start.ts";

/**
 * The command line as a process. No `await` at the top of the module: it could not be compiled
 * beforehand.
 */

void start(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
