import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { millrace, witness } from "./lab.ts";

/** Whether ovs-vswitchd is at hand. */
export const HAS_VSWITCHD: boolean = Bun.which("ovs-vswitchd") !== null;

/** The database's schema, where Debian's package has it: installed, or unpacked beside its programs. */
function schemaPath(): string {
  const folders = ["/usr/share/openvswitch"];
  const programs = dirname(Bun.which("ovsdb-tool") ?? "/usr/bin/ovsdb-tool");
  folders.push(join(programs, "../root/usr/share/openvswitch"));
  const found = folders.map((folder) => join(folder, "vswitch.ovsschema")).find(existsSync);
  if (found === undefined) throw new Error(`no vswitch.ovsschema in ${folders.join(", ")}`);
  return found;
}

/** A database and the daemon with a bridge `own-br0`, their files in a folder of their own; gone with the test. */
export class Vswitchd implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "ovs-"));
  readonly #folders = Object.fromEntries(
    ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"].map((name) => [name, this.#folder]),
  );
  readonly #database = `unix:${join(this.#folder, "db.sock")}`;

  constructor() {
    const file = join(this.#folder, "conf.db");
    witness("ovsdb-tool", "create", file, schemaPath());
    this.#start("ovsdb-server", file, `--remote=p${this.#database}`);
    this.#start("ovs-vswitchd", this.#database);
    witness("ovs-vsctl", `--db=${this.#database}`, "--no-wait", "init");
    witness("ovs-vsctl", "--timeout=20", `--db=${this.#database}`, "add-br", "own-br0");
  }

  /** Gives the bridge a port. */
  addPort(name: string): void {
    witness("ovs-vsctl", "--timeout=20", `--db=${this.#database}`, "add-port", "own-br0", name);
  }

  // The daemons keep what they inherit open: with pipes nobody would see their end.
  #start(...command: readonly string[]): void {
    const child = Bun.spawnSync(
      [...command, "--pidfile", "--detach", "--no-chdir", "-vconsole:off"],
      {
        stdio: ["ignore", "ignore", "ignore"],
        env: { ...process.env, ...this.#folders },
      },
    );
    if (child.exitCode !== 0) throw new Error(`${command.join(" ")}: exit ${child.exitCode}`);
  }

  get #pids(): number[] {
    const files = readdirSync(this.#folder).filter((entry) => entry.endsWith(".pid"));
    return files.map((name) => Number(readFileSync(join(this.#folder, name), "utf8")));
  }

  get isRunning(): boolean {
    return this.#pids.length === 2;
  }

  [Symbol.dispose](): void {
    for (const pid of this.#pids) process.kill(pid);
    Bun.sleepSync(500);
    millrace(["dp", "del", "ovs-system"]);
  }
}
