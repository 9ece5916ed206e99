import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { megabytes, watchBytes } from "./arriving.ts";
import { cacheFolder, withLock } from "./cache.ts";
import { LabError } from "./error.ts";
import { lastLines, runTool, type ToolResult } from "./tool.ts";

/** The source of package lists: the machine's, or a private copy that needs no root. */
type Lists = "machine" | "private";

/** dpkg's list of packages installed on this machine. */
const STATUS = "/var/lib/dpkg/status";

const DOWNLOAD_TIMEOUT_MS = 600_000;
const QUERY_TIMEOUT_MS = 120_000;

/** The list of installed packages that apt is given, in the `folder` of apt's files. */
function statusFile(folder: string): string {
  return join(folder, "state", "status");
}

/** dpkg's list of installed packages, `status`, without `packages`. */
export function statusWithout(status: string, packages: readonly string[]): string {
  const entries = status.split(/\n{2,}/).filter((entry) => {
    const name = /^Package: *(\S+)/m.exec(entry)?.[1];
    return name !== undefined && !packages.includes(name);
  });
  return entries.map((entry) => `${entry.trimEnd()}\n\n`).join("");
}

/**
 * apt's options for the lab's folders. The machine's sources, keys and signature checks are kept.
 */
export function aptOptions(folder: string, lists: Lists): string[] {
  const options = [
    `Dir::State=${folder}/state`,
    `Dir::State::status=${statusFile(folder)}`,
    `Dir::Cache=${folder}/cache`,
    "Debug::NoLocking=1",
    // As root, apt would fetch as the user _apt, who may not enter these folders.
    "APT::Sandbox::User=root",
    "Acquire::Retries=2",
    // Saves disk space: no descriptions, compressed lists, no caches of rarely used data.
    "Acquire::Languages=none",
    "Acquire::GzipIndexes=true",
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
  ];
  if (lists === "machine") options.push("Dir::State::lists=/var/lib/apt/lists");
  return options.flatMap((option) => ["-o", option]);
}

function aptFolder(): string {
  const folder = cacheFolder("apt");
  mkdirSync(join(folder, "state", "lists", "partial"), { recursive: true });
  mkdirSync(join(folder, "cache", "archives", "partial"), { recursive: true });
  return folder;
}

function hasLists(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => name.includes("_Packages"));
  } catch {
    return false;
  }
}

/**
 * Runs an apt command about `packages` against the machine's package lists, then a private copy,
 * then a fresh one, until one succeeds.
 *
 * For apt none of them is installed: the lab brings its own, regardless of what version the machine
 * has.
 */
async function withLists(
  packages: readonly string[],
  command: readonly string[],
  options: AptOptions & { readonly cwd?: string; readonly timeoutMs: number },
): Promise<ToolResult> {
  const folder = aptFolder();
  const [program = "apt-get", ...args] = command;
  const tried: string[] = [];
  // apt's locks are off, since they require root; this lock allows one process at a time.
  return withLock(
    "apt",
    async () => {
      const status = existsSync(STATUS) ? readFileSync(STATUS, "utf8") : "";
      writeFileSync(statusFile(folder), statusWithout(status, packages));
      const attempt = async (lists: Lists): Promise<ToolResult | undefined> => {
        const result = await runTool([program, ...aptOptions(folder, lists), ...args], {
          ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
          timeoutMs: options.timeoutMs,
          signal: options.signal,
        });
        if (result.exitCode === 0) return result;
        tried.push(`with the ${lists} package lists: ${lastLines(result.stderr, 3)}`);
        return undefined;
      };
      if (hasLists("/var/lib/apt/lists")) {
        const result = await attempt("machine");
        if (result !== undefined) return result;
      }
      const privateLists = join(folder, "state", "lists");
      if (hasLists(privateLists)) {
        const result = await attempt("private");
        if (result !== undefined) return result;
      }
      options.onProgress?.("fetching package lists");
      using _ = watchBytes(privateLists, (bytes) =>
        options.onWaiting?.(`fetching package lists: ${megabytes(bytes)}`),
      );
      const update = await runTool(["apt-get", ...aptOptions(folder, "private"), "-q", "update"], {
        timeoutMs: options.timeoutMs,
        signal: options.signal,
      });
      if (update.exitCode !== 0) tried.push(`apt-get update: ${lastLines(update.stderr, 3)}`);
      const result = await attempt("private");
      if (result !== undefined) return result;
      throw new LabError(
        "FETCH",
        `cannot get ${packages.join(", ")} through apt:\n${tried.join("\n")}`,
        "check the network and /etc/apt/sources.list (Debian's main is needed)",
      );
    },
    options.onWaiting,
  );
}

/** Takes a line of text about the progress. */
export type Progress = (line: string) => void;

/** How packages are fetched. */
export type AptOptions = {
  readonly onProgress?: Progress | undefined;
  /**
   * Called repeatedly with what is being waited for, and its progress; each line replaces the
   * previous one.
   */
  readonly onWaiting?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Downloads packages into `folder`, as an ordinary user; apt checks signatures and checksums.
 *
 * Returns the paths of the files. Throws {@link LabError} (code FETCH) if apt fails.
 */
export async function download(
  packages: readonly string[],
  folder: string,
  options: AptOptions = {},
): Promise<string[]> {
  options.onWaiting?.(`asking apt for ${packages.join(", ")}`);
  const listed = await withLists(
    packages,
    ["apt-get", "-q", "--print-uris", "download", ...packages],
    { ...options, timeoutMs: QUERY_TIMEOUT_MS },
  );
  const total = megabytes(bytesOfPackages(listed.stdout));
  options.onProgress?.(`downloading ${packages.join(", ")}: ${total}`);
  using _ = watchBytes(folder, (bytes) => options.onWaiting?.(`${megabytes(bytes)} of ${total}`));
  await withLists(packages, ["apt-get", "-q", "download", ...packages], {
    ...options,
    cwd: folder,
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
  });
  const files = readdirSync(folder).filter((name) => name.endsWith(".deb"));
  if (files.length === 0) throw new LabError("FETCH", `apt brought nothing of ${packages.join()}`);
  return files.sort().map((name) => join(folder, name));
}

/** A package in the output of `apt-get --print-uris`: its name and its size. */
const PACKAGE_LINE = /^'[^']+' ([^_ ]+)_[^ ]+\.deb (\d+)/;

/** The total size of the packages that `apt-get --print-uris` would fetch, from its output. */
export function bytesOfPackages(output: string): number {
  let bytes = 0;
  for (const line of output.split("\n")) bytes += Number(PACKAGE_LINE.exec(line)?.[2] ?? 0);
  return bytes;
}

/** The packages that `apt-get --print-uris install` would add, from its output. */
export function parseNewPackages(output: string): string[] {
  const found: string[] = [];
  for (const line of output.split("\n")) {
    const name = PACKAGE_LINE.exec(line)?.[1];
    if (name !== undefined) found.push(name);
  }
  return found;
}

/**
 * The packages that this machine needs in order to run `packages`: themselves, even if installed,
 * and their missing dependencies.
 *
 * apt's resolver answers; nothing is installed.
 */
export async function missingPackages(
  packages: readonly string[],
  options: AptOptions = {},
): Promise<string[]> {
  options.onWaiting?.(`asking apt what ${packages.join(", ")} need`);
  const result = await withLists(
    packages,
    ["apt-get", "-q", "--print-uris", "--no-install-recommends", "-y", "install", ...packages],
    { ...options, timeoutMs: QUERY_TIMEOUT_MS },
  );
  return parseNewPackages(result.stdout);
}

/** Unpacks a package file into `folder` without installing it. */
export async function unpack(
  file: string,
  folder: string,
  { signal, onWaiting }: AptOptions = {},
): Promise<void> {
  onWaiting?.(`unpacking ${basename(file)}`);
  const result = await runTool(["dpkg", "-x", file, folder], {
    timeoutMs: QUERY_TIMEOUT_MS,
    signal,
  });
  if (result.exitCode !== 0) {
    throw new LabError("FETCH", `cannot unpack ${file}: ${lastLines(result.stderr, 2)}`);
  }
}
