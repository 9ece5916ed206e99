import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./run.ts";

/*
 * The commands that people wait for, each in one file with its bytecode beside it: Bun reads and compiles two hundred
 * modules otherwise, which is most of what a short command takes. The launcher src/cli/millrace runs them where the
 * package is installed. Other commands go on until they are ended, or start programs: they run from the source.
 */

const BUNDLED = ["load", "dump", "compile", "dp", "port", "flow", "dpctl"] as const;

/**
 * Writes the bundles into `folder`, which has to be two folders below the package. Programs may run
 * those that are there meanwhile: each file is replaced at once.
 */
export async function bundleCommands(folder: string): Promise<void> {
  const made = `${folder}-${process.pid}`;
  mkdirSync(made, { recursive: true });
  try {
    // The package's own modules are ES modules; bytecode without a binary is of the other kind only.
    writeFileSync(join(made, "package.json"), `{ "type": "commonjs" }\n`);
    await Promise.all(BUNDLED.map((command) => bundle(command, made)));
    mkdirSync(folder, { recursive: true });
    const files = readdirSync(made);
    for (const file of files) renameSync(join(made, file), join(folder, file));
    for (const file of readdirSync(folder)) {
      if (!files.includes(file)) rmSync(join(folder, file), { recursive: true });
    }
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

async function bundle(command: string, folder: string): Promise<void> {
  const { outputs } = await Bun.build({
    entrypoints: [join(ROOT, "src/cli/main.ts")],
    outdir: folder,
    naming: `${command}.[ext]`,
    target: "bun",
    format: "cjs",
    bytecode: true,
    minify: true,
    sourcemap: "linked",
    // Modules are not found beside a bundle: threads take their code from dist/threads.js.
    define: { "import.meta.url": '"file:///"' },
    external: ["*/dist/threads.js"],
    plugins: [
      {
        name: "one command",
        setup(build) {
          build.onResolve({ filter: /^\.\/commands\// }, ({ path }) =>
            path === `./commands/${command}.ts`
              ? undefined
              : { path: `../../src/cli/${path}`, external: true },
          );
          // Names of ovs-dpctl's commands, for an error: with them a bundle would have four times
          // the code.
          build.onResolve({ filter: /^\.\/dpctl\/commands/ }, ({ path }) => ({
            path: `../../src/cli/${path}`,
            external: true,
          }));
        },
      },
    ],
  });
  const map = outputs.find(({ path }) => path.endsWith(".map"));
  if (map === undefined) throw new Error(`${command}: nothing was bundled`);
  // The package has the source: a map of it need not carry it once more.
  const content: { readonly sources: readonly string[] } = JSON.parse(
    readFileSync(map.path, "utf8"),
  );
  writeFileSync(
    map.path,
    JSON.stringify({ ...content, sourcesContent: content.sources.map(() => null) }),
  );
}
