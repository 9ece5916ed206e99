import { existsSync } from "node:fs";
import { MillraceError } from "./errors.ts";

/** The threads of this package: what the first module of each does. */
export type ThreadName = "fill" | "send" | "readiness";

/** The code of each in one piece, as `pack/threads.ts` makes it. */
export type ThreadCode = Readonly<Record<ThreadName, string>>;

/** Scripts made of that code. They live as long as the process. */
const SCRIPTS = new Map<ThreadName, string>();

/**
 * Where a thread finds its code. A bundler does not follow a `new Worker(…)`: it leaves the thread's modules out of a
 * program that somebody bundles or compiles. So the package carries their code as text, which is bundled like any
 * other value. It is used where the modules are not.
 * @param module the thread's first module, where it lies in the source
 * @returns a URL for a `Worker`
 * @throws MillraceError `WORKER` where there is neither
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

/** What the `error` of a Worker says, in one line: Bun puts an excerpt of the source before it, and a trace behind. */
export function threadFault(message: string): string {
  return message.split("\n").find((line) => /^\w+: /.test(line)) ?? message;
}

function bundledCode(): ThreadCode {
  try {
    // A clone has this file only once it was packed: a bundler leaves out what it does not find in a `try`.
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
