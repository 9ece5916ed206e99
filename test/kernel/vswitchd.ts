import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { monotonicMs } from "../../src/index.ts";
import { limit } from "../runner/limit.ts";
import { lacks } from "../runner/skip.ts";
import { millrace, witness } from "./lab.ts";

/**
 * OVS counts the CPUs once in ten seconds of the kernel's clock (`count_cpu_cores`): before, there are none, and no
 * thread handles what the kernel sends up.
 */
const CPUS_KNOWN_MS = 10_000;

/** Why tests with ovs-vswitchd are skipped; undefined if it is available. */
export const NO_VSWITCHD: string | undefined = lacks("ovs-vswitchd");

/**
 * The database's schema, of the version of its programs: where Debian's package has it, in its root, which a
 * program of the lab lies in, or beside which it is a script.
 */
function schemaPath(): string {
  const programs = dirname(realpathSync(Bun.which("ovsdb-tool") ?? "/usr/bin/ovsdb-tool"));
  const folders = ["../share/openvswitch", "../root/usr/share/openvswitch"].map((folder) =>
    join(programs, folder),
  );
  const found = folders.map((folder) => join(folder, "vswitch.ovsschema")).find(existsSync);
  if (found === undefined) throw new Error(`no vswitch.ovsschema in ${folders.join(", ")}`);
  return found;
}

/** A database and the daemon with one bridge, `own-br0`; with their files in a folder of their own; gone with the test. */
export class Vswitchd implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "ovs-"));
  /** With it Open vSwitch's own programs find this daemon. */
  readonly environment: Readonly<Record<string, string>> = Object.fromEntries(
    ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"].map((name) => [name, this.#folder]),
  );
  readonly #database = `unix:${join(this.#folder, "db.sock")}`;

  constructor() {
    const file = join(this.#folder, "conf.db");
    witness("ovsdb-tool", "create", file, schemaPath());
    Bun.sleepSync(Math.max(0, CPUS_KNOWN_MS - monotonicMs()));
    this.#start("ovsdb-server", file, `--remote=p${this.#database}`);
    this.#start("ovs-vswitchd", this.#database);
    witness("ovs-vsctl", `--db=${this.#database}`, "--no-wait", "init");
    this.configure("add-br", "own-br0");
  }

  /** ovs-vsctl. */
  configure(...command: readonly string[]): string {
    return witness(
      "ovs-vsctl",
      `--timeout=${limit(20) / 1000}`,
      `--db=${this.#database}`,
      ...command,
    );
  }

  /** ovs-ofctl on the bridge; the command comes first. */
  openflow(command: string, ...rest: readonly string[]): void {
    const bridge = `unix:${join(this.#folder, "own-br0.mgmt")}`;
    witness("ovs-ofctl", "-OOpenFlow15", command, bridge, ...rest);
  }

  // The daemons keep what they inherit open: with pipes nobody would see their end.
  #start(...command: readonly string[]): void {
    const child = Bun.spawnSync(
      [...command, "--pidfile", "--detach", "--no-chdir", "-vconsole:off"],
      {
        stdio: ["ignore", "ignore", "ignore"],
        env: { ...process.env, ...this.environment },
      },
    );
    if (child.exitCode !== 0) throw new Error(`${command.join(" ")}: exit ${child.exitCode}`);
  }

  get #pidFiles(): string[] {
    return readdirSync(this.#folder).filter((entry) => entry.endsWith(".pid"));
  }

  get #pids(): number[] {
    return this.#pidFiles.map((name) => Number(readFileSync(join(this.#folder, name), "utf8")));
  }

  get isRunning(): boolean {
    return this.#pids.length === 2;
  }

  /** Kills the daemons: the datapath and its flows stay. */
  kill(): void {
    for (const pid of this.#pids) process.kill(pid, "SIGKILL");
    for (const name of this.#pidFiles) rmSync(join(this.#folder, name));
  }

  [Symbol.dispose](): void {
    const pids = this.#pids;
    for (const pid of pids) process.kill(pid);
    if (pids.length > 0) Bun.sleepSync(500);
    millrace(["dp", "del", "ovs-system"]);
  }
}
