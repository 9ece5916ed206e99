import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./run.ts";
import type { ThreadCode, ThreadName } from "../../src/sys/thread-code.ts";

/*
 * The code of each thread in one piece, for programs in which the threads' own modules are not to be found:
 * src/sys/thread-code.ts says why.
 */

const MODULES: Readonly<Record<ThreadName, string>> = {
  fill: "src/load/thread/fill-worker.ts",
  send: "src/sys/send-thread-worker.ts",
  readiness: "src/sys/readiness-thread.ts",
};

/** The threads' modules, each with all that it imports. */
async function bundleThreads(): Promise<ThreadCode> {
  const [fill, send, readiness] = await Promise.all([
    bundle(MODULES.fill),
    bundle(MODULES.send),
    bundle(MODULES.readiness),
  ]);
  return { fill, send, readiness };
}

/** Writes the module that carries that code, dist/threads.js; programs may read the one that is there meanwhile. */
export async function writeThreads(file: string): Promise<void> {
  const code = JSON.stringify(await bundleThreads());
  const made = `${file}-${process.pid}`;
  writeFileSync(
    made,
    `/** The code of millrace's threads, made by .ci/pack/threads.ts. */\nexport const THREADS = ${code};\n`,
  );
  renameSync(made, file);
}

async function bundle(module: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(ROOT, module)],
    target: "bun",
    minify: true,
    // A thread starts no threads: it carries none.
    external: ["*/dist/threads.js"],
  });
  const [script] = outputs;
  if (script === undefined) throw new Error(`${module}: nothing was bundled`);
  return script.text();
}
