import { existsSync } from "node:fs";
import { MillraceError } from "./errors.ts";

/** The threads of this package, each named for what its first module does. */
export type ThreadName = "fill" | "send" | "readiness";

/** The bundled code of each thread, made by `pack/threads.ts`. */
export type ThreadCode = Readonly<Record<ThreadName, string>>;

/** Scripts made of that code. They live as long as the process. */
const SCRIPTS = new Map<ThreadName, string>();

/**
 * Where a thread finds its code. A bundler does not follow `new Worker(…)`, so it leaves the
 * thread's modules out of a bundled or compiled program. The package therefore carries their code
 * as text, which is bundled like any other value and used if the modules are missing.
 * @param module the thread's first module, in the source
 * @returns a URL for a `Worker`
 * @throws MillraceError `WORKER` if there is neither
 */
export function threadScript(name: ThreadName, module: URL): string {
  if (existsSync(module)) return module.href;
  let script = SCRIPTS.get(name);
  if (script === undefined) {
    const code = bundledCode()[name];
    script = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    SCRIPTS.set(name, script);
  }
  return script;
}

/**
 * The message of a Worker's `error` event, in one line: Bun puts an excerpt of the source before it
 * and a stack trace after it.
 */
export function threadFault(message: string): string {
  return message.split("\n").find((line) => /^\w+: /.test(line)) ?? message;
}

function bundledCode(): ThreadCode {
  try {
    // A clone has this file only after it was packed; in a `try`, a bundler tolerates that it is
    // missing.
    const { THREADS }: { THREADS: ThreadCode } = require("../../dist/threads.js");
    return THREADS;
  } catch (cause) {
    throw new MillraceError(
      "WORKER",
      "the code of millrace's threads is not in this bundle: bundle the package, or run 'npm run build' in a clone first",
      { cause },
    );
  }
}
