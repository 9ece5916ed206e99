import * as fs from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { writeError } from "../src/cli/output.ts";
import { LabError } from "../src/lab/error.ts";
import { lastLines, runTool } from "../src/lab/tool.ts";
import { EndingSignals } from "../src/sys/signals.ts";
import { compile, type Found, fromPackages } from "./build.ts";

// Builds Open vSwitch's own library, and a program on it, from Debian's source package.

const PACKAGE = "openvswitch-source";
/** The folder of the package's archive. */
const ARCHIVES = "usr/src/openvswitch";
/**
 * The tools that building the library requires. Its scripts use only python3's standard modules.
 */
const TOOLS = ["gcc", "make", "python3", "tar"];

const STEP_TIMEOUT_MS = 3_600_000;

/**
 * Leaves out everything that flows do not need, and dependency tracking, which matters only for a
 * second build.
 */
const CONFIGURE = [
  "./configure",
  "--quiet",
  "--disable-dependency-tracking",
  "--disable-ssl",
  "--disable-libcapng",
  "--disable-afxdp",
  // Debian's flags without debug information.
  "CFLAGS=-O2",
  // The archive's configure script is up to date, regardless of file times.
  ...["ACLOCAL", "AUTOCONF", "AUTOHEADER", "AUTOMAKE"].map((name) => `${name}=:`),
];

/**
 * Prints the generated files that others include: the makefile generates them first only when
 * everything is built.
 */
const SHOW_MADE = "show: ; @echo $(filter include/% lib/%,$(BUILT_SOURCES))";
const LIBRARY = "lib/libopenvswitch.la";

/** Prints the libraries with which the library must be linked. */
const SHOW_LIBRARIES = "show: ; @echo $(filter -l%,$(lib_libopenvswitch_la_LIBADD) $(LIBS))";

/**
 * The C program that uses OVS's library, which Debian has only as source: it is built once, and
 * kept in the cache. Any failure is a reason to leave it out.
 */
export async function buildDpif(folder: string, fetch: boolean): Promise<Found<string>> {
  try {
    const kept = await fromPackages("openvswitch", [PACKAGE], fetch, buildLibrary);
    if ("missing" in kept) return kept;
    const at = (...names: string[]): string => join(kept.value, ...names);
    const archives = fs.readdirSync(at("lib")).filter((name) => name.endsWith(".a"));
    return compile("dpif", folder, [
      ...[at("include"), at("lib")].map((path) => `-I${path}`),
      "-Wl,--start-group",
      ...archives.map((name) => at("lib", name)),
      "-Wl,--end-group",
      "-Wl,--as-needed",
      ...fs.readFileSync(at("libraries"), "utf8").split(" ").filter(Boolean),
    ]);
  } catch (error) {
    // The reason is the name of a signal: the suite must end.
    if (!(error instanceof Error)) throw error;
    return { missing: firstError(error.message) };
  }
}

/** Turns the unpacked package in `folder` into `include`, `lib` and the names of `libraries`. */
async function buildLibrary(folder: string): Promise<void> {
  const missing = TOOLS.filter((name) => Bun.which(name) === null);
  if (missing.length > 0) {
    throw new LabError("UNAVAILABLE", `there is no ${missing.join(", no ")} to build it with`);
  }
  writeError("building OVS's own library: once, for some minutes\n");
  using signals = new EndingSignals();
  const packed = join(folder, "root", ARCHIVES);
  const archive = fs.readdirSync(packed).find((name) => name.startsWith("openvswitch.tar"));
  if (archive === undefined) throw new LabError("FETCH", `${PACKAGE} comes without an archive`);
  const source = join(folder, "source");
  fs.mkdirSync(source);
  const run = async (...command: string[]): Promise<string> => {
    const result = await runTool(command, {
      cwd: source,
      timeoutMs: STEP_TIMEOUT_MS,
      signal: signals.signal,
    });
    if (result.exitCode === 0) return result.stdout;
    throw new LabError("UNAVAILABLE", `${command[0]} failed: ${firstError(result.stderr)}`);
  };
  await run("tar", "--strip-components=1", "-xf", join(packed, archive));
  if (!fs.existsSync(join(source, "configure"))) {
    throw new LabError("UNAVAILABLE", `${PACKAGE} comes without a configure script`);
  }
  await run(...CONFIGURE);
  const show = async (what: string): Promise<string[]> =>
    (await run("make", "-s", `--eval=${what}`, "show")).split(/\s+/).filter(Boolean);
  await run("make", ...(await show(SHOW_MADE)));
  await run("make", `-j${availableParallelism()}`, LIBRARY);
  fs.writeFileSync(join(folder, "libraries"), (await show(SHOW_LIBRARIES)).join(" "));
  keep(source, folder);
  fs.rmSync(source, { recursive: true });
  fs.rmSync(join(folder, "root"), { recursive: true });
}

/** Keeps the files needed to compile and link a program. */
function keep(source: string, folder: string): void {
  fs.cpSync(join(source, "include"), join(folder, "include"), { recursive: true });
  fs.copyFileSync(join(source, "config.h"), join(folder, "include", "config.h"));
  fs.mkdirSync(join(folder, "lib"));
  for (const [from, ending] of [
    ["lib", ".h"],
    ["lib/.libs", ".a"],
  ] as const) {
    for (const name of fs.readdirSync(join(source, from))) {
      if (!name.endsWith(ending)) continue;
      fs.copyFileSync(join(source, from, name), join(folder, "lib", name));
    }
  }
}

/**
 * The most informative line: compilers name the cause first, configure after a line that ends in a
 * colon.
 */
function firstError(text: string): string {
  return /^.*\berror\b.*[^:\s]$/im.exec(text)?.[0] ?? lastLines(text, 1);
}
