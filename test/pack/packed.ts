/** The package as npm packs it, and projects of users who have it. */
import { afterAll } from "bun:test";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../src/lab/trust.ts";
import { limit } from "../runner/limit.ts";

export const ROOT: string = join(import.meta.dir, "../..");
export const BUN: string = join(ROOT, "src/cli/bun");

const folder = temporaryFolder("millrace-pack-");
// What two installers have installed takes a busy disk its time.
afterAll(() => rmSync(folder, { recursive: true, force: true }), limit(60));

/** What a program said, and how it ended. */
export type Said = { readonly status: number; readonly out: string; readonly err: string };

/** Runs a program to its end. */
export function say(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Said {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, env, stdin: "ignore" });
  return { status: exitCode, out: stdout.toString(), err: stderr.toString() };
}

/** As {@link say}. @returns what it printed @throws Error where it fails */
export function done(command: readonly string[], cwd: string): string {
  const { status, out, err } = say(command, cwd);
  if (status === 0) return out;
  throw new Error(`${command.join(" ")} ended with ${status}:\n${out}${err}`);
}

let tarball: string | undefined;

/** Packs the package, once. @returns the path of the tarball */
export function packed(): string {
  if (tarball === undefined) {
    const name = done(["npm", "pack", "--silent", "--pack-destination", folder], ROOT).trim();
    tarball = join(folder, name.split("\n").at(-1) ?? "");
  }
  return tarball;
}

/** Makes an empty project of a user's. @returns its folder */
export function project(name: string, files: Readonly<Record<string, string>> = {}): string {
  const own = join(folder, name);
  mkdirSync(own);
  writeFileSync(join(own, "package.json"), JSON.stringify({ type: "module", private: true }));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(own, file), text);
  return own;
}

/** Lays the package into a project as it is, without what it depends on. @returns where it lies */
export function unpacked(into: string): string {
  const modules = join(into, "node_modules");
  mkdirSync(modules);
  done(["tar", "xzf", packed(), "-C", modules], into);
  renameSync(join(modules, "package"), join(modules, "millrace"));
  return join(modules, "millrace");
}

/** A program that uses the types of both parts of the library. */
export const TYPED_PROGRAM = `
import { Datapath, type Flow, FlowTemplate, type LoadReport, MillraceError } from "millrace";
import { NetlinkSocket, type Transport } from "millrace/netlink";
import manifest from "millrace/package.json" with { type: "json" };

export const transport: Transport = "sendmmsg";
export const version: string = manifest.version;
export const socket: typeof NetlinkSocket = NetlinkSocket;

export async function main(): Promise<LoadReport> {
  using dp = Datapath.open("lab0");
  const web = FlowTemplate.compile("in_port({port}),eth() 2");
  await dp.load(web.fill({ port: new Uint16Array([1, 2]) }));
  const flows: readonly Flow[] = [...dp.flows()];
  // @ts-expect-error: a datapath is opened by its name
  Datapath.open(flows.length);
  // @ts-expect-error: a code is one of those that there are
  new MillraceError("NO_SUCH_CODE", "");
  const { report } = await dp.load(["in_port(1),eth() 2"], { mode: "add" });
  return report;
}
`;

/** A project's settings: as strict as they are by themselves, and nothing for this package's sake. */
export function settings(
  resolution: "bundler" | "nodenext",
  more: Readonly<Record<string, unknown>> = {},
): string {
  const module = resolution === "bundler" ? "esnext" : "nodenext";
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module,
    moduleResolution: resolution,
    types: [],
    ...more,
  };
  return JSON.stringify({ compilerOptions, files: ["main.ts"] });
}
