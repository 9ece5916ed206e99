import * as fs from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { download, missingPackages, unpack, type AptOptions } from "./apt.ts";
import { cacheFolder, existingCacheFolder, publish, published, withLock } from "./cache.ts";
import { SYSTEM_FOLDERS } from "./environment.ts";
import { LabError } from "./error.ts";
import { checkManifest } from "./manifest.ts";
import { runTool, shellQuote } from "./tool.ts";

/** The Debian packages whose programs the lab brings, each with the packages that it requires. */
const SOURCES: readonly {
  packages: readonly [string, ...string[]];
  programs: readonly string[];
}[] = [
  {
    packages: ["openvswitch-switch", "openvswitch-common"],
    programs: [
      "ovs-dpctl",
      "ovs-appctl",
      "ovs-ofctl",
      "ovs-vsctl",
      "ovs-vswitchd",
      "ovsdb-server",
      "ovsdb-client",
      "ovsdb-tool",
    ],
  },
  { packages: ["iproute2"], programs: ["ip", "tc"] },
  { packages: ["busybox-static"], programs: ["busybox"] },
  { packages: ["conntrack"], programs: ["conntrack"] },
  { packages: ["ethtool"], programs: ["ethtool"] },
  { packages: ["tcpdump"], programs: ["tcpdump"] },
];

/** The programs that `--peers` brings: those that tests use or compare millrace with. */
export const LAB_PEERS: readonly string[] = ["ovs-dpctl", "ip", "busybox", "tcpdump", "conntrack"];

type Source = (typeof SOURCES)[number];

/** The name of the folder for programs, below a package's folder in the cache. */
const BIN = "bin";

/** The folders of programs in a package, including those that Debian links from elsewhere. */
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
 * The folders of peers' programs in the cache, for PATH. Fetches nothing.
 * @throws LabError if they were changed since they were unpacked
 */
export function cachedPeers(): string[] {
  return published(existingCacheFolder("peers")).map((folder) => {
    checkManifest(folder, []);
    return join(folder, BIN);
  });
}

/**
 * Brings programs for labs, unpacked without root from Debian's packages: the machine's programs of
 * the same names may have another version, or be other programs. If a package is not available, the
 * machine's program is used.
 *
 * Returns the folders that hold them, as for PATH; undefined if one of them is not available, after
 * telling `onProgress` why. A lab puts fetched programs first on PATH by itself.
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
  const ready = findCached(name);
  if (ready !== undefined) return ready;
  const source = SOURCES.find(({ programs }) => programs.includes(name));
  if (source === undefined) throw new LabError("USAGE", `no known package brings ${name}`);
  try {
    return await withLock(
      "peers",
      async () => {
        // Another process may have fetched it while this one waited.
        const fetched = findCached(name);
        if (fetched !== undefined) return fetched;
        const folder = await publish(cacheFolder("peers"), (draft) =>
          fetch(source, draft, options),
        );
        if (!fs.existsSync(join(folder, BIN, name))) {
          throw new LabError("FETCH", `the package ${source.packages[0]} comes without ${name}`);
        }
        return join(folder, BIN);
      },
      options.onWaiting,
    );
  } catch (error) {
    const here = Bun.which(name, { PATH: programPath() });
    if (!(error instanceof LabError) || here === null) throw error;
    options.onProgress?.(`${name} is this machine's own: ${error.message}`);
    return dirname(here);
  }
}

function findCached(name: string): string | undefined {
  return cachedPeers().find((folder) => fs.existsSync(join(folder, name)));
}

/** Unpacks packages and their dependencies into `draft`. Returns the name to publish it by. */
async function fetch(source: Source, draft: string, options: AptOptions): Promise<string> {
  const [wanted] = source.packages;
  const packages = await missingPackages(source.packages, options);
  const files = await download(packages, draft, options);
  const main = files.find((file) => basename(file).startsWith(`${wanted}_`));
  if (main === undefined) throw new LabError("FETCH", `apt brought no ${wanted}`);
  const root = join(draft, "root");
  for (const file of files) {
    await unpack(file, root, options);
    fs.rmSync(file);
  }
  const name = basename(main, ".deb");
  await linkPrograms(source.programs, draft, join(cacheFolder("peers"), name));
  return name;
}

/**
 * Fills `draft/bin` with exactly `names`, since it comes first on PATH: a link for each program
 * that finds its libraries on this machine, a small script for one that needs the unpacked ones.
 * `home` is the draft's final place.
 */
async function linkPrograms(names: readonly string[], draft: string, home: string): Promise<void> {
  const bin = join(draft, BIN);
  fs.mkdirSync(bin);
  const root = join(draft, "root");
  const libraries = libraryFolders(root).map((folder) => join(home, "root", folder));
  for (const name of names) {
    const program = PROGRAM_FOLDERS.map((folder) => join(root, folder, name)).find((path) =>
      isProgramIn(root, path),
    );
    if (program === undefined) continue;
    const needs = await runTool(["ldd", program], { timeoutMs: 20_000 });
    const place = relative(draft, program);
    if (!needs.stdout.includes("not found")) {
      fs.symlinkSync(join("..", place), join(bin, name));
      continue;
    }
    fs.writeFileSync(
      join(bin, name),
      `#!/bin/sh\nexport LD_LIBRARY_PATH=${shellQuote(libraries.join(":"))}\nexec ${shellQuote(join(home, place))} "$@"\n`,
      { mode: 0o755 },
    );
  }
}

/** The folders below `root` that hold shared libraries, relative to it. */
function libraryFolders(root: string): string[] {
  const found: string[] = [];
  for (const top of ["usr/lib", "lib"]) {
    if (!fs.existsSync(join(root, top))) continue;
    const below = fs.readdirSync(join(root, top)).filter((name) => name.endsWith("-linux-gnu"));
    for (const folder of [top, ...below.map((name) => join(top, name))]) {
      if (fs.readdirSync(join(root, folder)).some((name) => name.includes(".so")))
        found.push(folder);
    }
  }
  return found;
}

/**
 * Whether a program is below `root`: a link may lead out of the package, to nothing or to the
 * machine's program.
 */
function isProgramIn(root: string, path: string): boolean {
  if (!fs.existsSync(path) || !fs.statSync(path).isFile()) return false;
  if (relative(fs.realpathSync(root), fs.realpathSync(path)).startsWith("..")) return false;
  const file = fs.openSync(path, "r");
  try {
    const magic = Buffer.alloc(4);
    fs.readSync(file, magic, 0, 4, 0);
    return magic.toString("latin1") === "\x7fELF";
  } finally {
    fs.closeSync(file);
  }
}
