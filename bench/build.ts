import { existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { download, unpack } from "../src/lab/apt.ts";
import { cacheFolder, publish, published, withLock } from "../src/lab/cache.ts";
import { LabError } from "../src/lab/error.ts";
import { checkManifest } from "../src/lab/manifest.ts";

// Builds the C programs for comparison, if there is a compiler.

const PEERS = join(import.meta.dir, "peers");

/** An available peer, or why it is missing. */
export type Found<T> = { readonly value: T } | { readonly missing: string };

/**
 * Compiles one of the C programs of bench/peers into `folder`.
 * @throws Error if it does not compile
 */
export function compile(name: string, folder: string, options: readonly string[]): Found<string> {
  const compiler = Bun.which("gcc") ?? Bun.which("cc");
  if (compiler === null) return { missing: "there is no C compiler (gcc)" };
  const binary = join(folder, name);
  const source = join(PEERS, `${name}.c`);
  const built = Bun.spawnSync([compiler, "-O2", "-o", binary, source, ...options]);
  if (built.exitCode !== 0) throw new Error(`${name}.c: ${built.stderr.toString()}`);
  return { value: binary };
}

/** The C program that represents the kernel's limit. */
export function buildLimit(folder: string): Found<string> {
  return compile("limit", folder, []);
}

/**
 * The C program that uses libmnl; the library is the machine's, or from Debian's unpacked package.
 */
export async function buildMnl(folder: string, fetch: boolean): Promise<Found<string>> {
  if (existsSync("/usr/include/libmnl/libmnl.h")) return compile("mnl", folder, ["-lmnl"]);
  const root = await unpacked("libmnl", ["libmnl-dev", "libmnl0"], fetch);
  if ("missing" in root) return root;
  const library = join(
    root.value,
    "usr/lib",
    `${process.arch === "x64" ? "x86_64" : "aarch64"}-linux-gnu`,
  );
  return compile("mnl", folder, [
    `-I${join(root.value, "usr/include")}`,
    `-L${library}`,
    `-Wl,-rpath,${library}`,
    "-lmnl",
  ]);
}

/** How to run the program that uses pyroute2: python3, and the folder for PYTHONPATH. */
export async function findPyroute(fetch: boolean): Promise<Found<readonly string[]>> {
  const python = ["/usr/bin/python3", Bun.which("python3") ?? ""].find((path) => existsSync(path));
  if (python === undefined) return { missing: "there is no python3" };
  const program = join(PEERS, "pyroute.py");
  const has = Bun.spawnSync([python, "-c", "import pyroute2"]);
  if (has.exitCode === 0) return { value: [python, program] };
  const root = await unpacked("pyroute2", ["python3-pyroute2"], fetch);
  if ("missing" in root) return root;
  const path = join(root.value, "usr/lib/python3/dist-packages");
  return { value: ["env", `PYTHONPATH=${path}`, python, program] };
}

/** Debian's packages, fetched and unpacked without root; kept in the cache. @returns their root */
async function unpacked(
  kind: string,
  packages: readonly string[],
  fetch: boolean,
): Promise<Found<string>> {
  const found = await fromPackages(kind, packages, fetch);
  return "missing" in found ? found : { value: join(found.value, "root") };
}

/**
 * A folder of the cache that is made once from Debian's packages.
 * @param make called after they were unpacked into the folder's `root`
 */
export async function fromPackages(
  kind: string,
  packages: readonly string[],
  fetch: boolean,
  make?: (folder: string) => Promise<void>,
): Promise<Found<string>> {
  try {
    const parent = cacheFolder("bench", kind);
    const ready = published(parent)[0];
    if (ready !== undefined) {
      checkManifest(ready, []);
      return { value: ready };
    }
    if (!fetch) {
      const how = make === undefined ? "installed; --peers fetches" : "built; --peers builds";
      return { missing: `${packages[0]} is not ${how} it` };
    }
    const folder = await withLock("bench", () =>
      publish(parent, async (draft) => {
        const files = await download(packages, draft);
        mkdirSync(join(draft, "root"));
        for (const file of files) {
          await unpack(file, join(draft, "root"));
          rmSync(file);
        }
        await make?.(draft);
        return basename(files[0] ?? kind, ".deb");
      }),
    );
    return { value: folder };
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    return { missing: `${packages.join(" and ")} cannot be had (${error.message.split("\n")[0]})` };
  }
}
