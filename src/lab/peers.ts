import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { download, missingPackages, unpack, type AptOptions } from "./apt.ts";
import { cacheFolder, existingCacheFolder, publish, published, withLock } from "./cache.ts";
import { SYSTEM_FOLDERS } from "./environment.ts";
import { LabError } from "./error.ts";
import { checkManifest } from "./manifest.ts";
import { runTool, shellQuote } from "./tool.ts";

/** The Debian package of each program that the lab may want and a machine may lack. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  "ovs-dpctl": "openvswitch-switch",
  "ovs-appctl": "openvswitch-switch",
  "ovs-ofctl": "openvswitch-switch",
  "ovs-vsctl": "openvswitch-switch",
  "ovs-vswitchd": "openvswitch-switch",
  "ovsdb-server": "openvswitch-switch",
  "ovsdb-client": "openvswitch-switch",
  "ovsdb-tool": "openvswitch-switch",
  ip: "iproute2",
  tc: "iproute2",
  conntrack: "conntrack",
  ethtool: "ethtool",
  tcpdump: "tcpdump",
};

/** What a peer programs' folder is called in the cache, below its package's own. */
const BIN = "bin";

/** Where programs lie in a package, those that Debian links from elsewhere included. */
const PROGRAM_FOLDERS = [
  "usr/lib/openvswitch-switch",
  "usr/sbin",
  "usr/bin",
  "sbin",
  "bin",
] as const;

function programPath(): string {
  return [...(process.env["PATH"] ?? "").split(":"), ...SYSTEM_FOLDERS].join(":");
}

/**
 * The folders of peers' programs that the cache holds, for PATH. Fetches nothing.
 * @throws LabError where they are not as they were unpacked
 */
export function cachedPeers(): string[] {
  return published(existingCacheFolder("peers")).map((folder) => {
    checkManifest(folder, []);
    return join(folder, BIN);
  });
}

/**
 * Finds programs on this machine or, unpacked without root, in Debian's packages.
 *
 * Returns the folders that hold them, as for PATH; undefined, and a line to `onProgress` that says
 * why, where one of them cannot be had. A lab finds what was fetched once by itself.
 */
export async function peerPath(
  names: readonly string[],
  options: AptOptions = {},
): Promise<string | undefined> {
  const folders = new Set<string>();
  try {
    for (const name of names) folders.add(await peerFolder(name, options));
    return [...folders].join(":");
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof LabError)) throw error;
    options.onProgress?.(`${names.join(", ")} left out: ${error.message}`);
    return undefined;
  }
}

async function peerFolder(name: string, options: AptOptions): Promise<string> {
  const here = Bun.which(name, { PATH: [programPath(), ...cachedPeers()].join(":") });
  if (here !== null) return dirname(here);
  const wanted = PACKAGE_OF[name];
  if (wanted === undefined) throw new LabError("USAGE", `no known package brings ${name}`);
  return withLock("peers", async () => {
    // Another process may have fetched it while this one waited.
    const fetched = Bun.which(name, { PATH: cachedPeers().join(":") });
    if (fetched !== null) return dirname(fetched);
    const folder = await publish(cacheFolder("peers"), (draft) => fetch(wanted, draft, options));
    if (!existsSync(join(folder, BIN, name))) {
      throw new LabError("FETCH", `the package ${wanted} comes without ${name}`);
    }
    return join(folder, BIN);
  });
}

/** Unpacks a package and what it needs into `draft`. Returns the name to publish it by. */
async function fetch(wanted: string, draft: string, options: AptOptions): Promise<string> {
  const packages = await missingPackages([wanted], options);
  const files = await download(packages.length === 0 ? [wanted] : packages, draft, options);
  const main = files.find((file) => basename(file).startsWith(`${wanted}_`));
  if (main === undefined) throw new LabError("FETCH", `apt brought no ${wanted}`);
  const root = join(draft, "root");
  for (const file of files) {
    await unpack(file, root, options.signal);
    rmSync(file);
  }
  const name = basename(main, ".deb");
  await linkPrograms(draft, join(cacheFolder("peers"), name));
  return name;
}

/**
 * Fills `draft/bin`: a link for each program that finds its libraries on this machine, a small
 * script for one that needs the unpacked ones. `home` is where the draft is going to be.
 */
async function linkPrograms(draft: string, home: string): Promise<void> {
  const bin = join(draft, BIN);
  mkdirSync(bin);
  const libraries = libraryFolders(join(draft, "root")).map((folder) => join("root", folder));
  for (const folder of PROGRAM_FOLDERS) {
    const parent = join(draft, "root", folder);
    if (!existsSync(parent)) continue;
    for (const name of readdirSync(parent)) {
      const program = join(parent, name);
      if (existsSync(join(bin, name)) || !isElf(program)) continue;
      const needs = await runTool(["ldd", program], { timeoutMs: 20_000 });
      if (!needs.stdout.includes("not found")) {
        symlinkSync(join("..", "root", folder, name), join(bin, name));
        continue;
      }
      const path = libraries.map((library) => join(home, library)).join(":");
      writeFileSync(
        join(bin, name),
        `#!/bin/sh\nexport LD_LIBRARY_PATH=${shellQuote(path)}\nexec ${shellQuote(join(home, "root", folder, name))} "$@"\n`,
        { mode: 0o755 },
      );
    }
  }
}

/** The folders below `root` that hold shared libraries, relative to it. */
function libraryFolders(root: string): string[] {
  const found: string[] = [];
  for (const top of ["usr/lib", "lib"]) {
    if (!existsSync(join(root, top))) continue;
    const below = readdirSync(join(root, top)).filter((name) => name.endsWith("-linux-gnu"));
    for (const folder of [top, ...below.map((name) => join(top, name))]) {
      if (readdirSync(join(root, folder)).some((name) => name.includes(".so"))) found.push(folder);
    }
  }
  return found;
}

function isElf(path: string): boolean {
  // A link may lead out of the package, to nowhere.
  if (!existsSync(path) || !statSync(path).isFile()) return false;
  const file = openSync(path, "r");
  try {
    const magic = Buffer.alloc(4);
    readSync(file, magic, 0, 4, 0);
    return magic.toString("latin1") === "\x7fELF";
  } finally {
    closeSync(file);
  }
}
