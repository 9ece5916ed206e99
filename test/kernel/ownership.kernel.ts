import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { failure, millrace, TestDatapath, witness } from "./lab.ts";
import { Datapath } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";

const vswitchd = Bun.which("ovs-vswitchd");

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

/** A database and the daemon, with their files in a folder of their own; gone with the test. */
class Vswitchd implements Disposable {
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

test.skipIf(vswitchd === null)(
  "a load into ovs-vswitchd's datapath wants --force; it deletes the flow; others are free",
  async () => {
    using daemon = new Vswitchd();
    // Its first bridge has the daemon delete every other datapath there is.
    using own = new TestDatapath("own0");
    expect(daemon.isRunning).toBe(true);
    const flow = `${sampleLine(1)}\n`;
    const refused = millrace(["load", "-", "--dp", "ovs-system"], flow);
    expect(refused.exitCode).toBe(3);
    // So says every command that would take something from it.
    const taken = millrace(["upcalls", "--dp", "ovs-system", "--count", "1"]);
    expect([taken.exitCode, taken.stderr]).toEqual([3, expect.stringContaining("ovs-vswitchd")]);
    expect(refused.stderr).toMatch(/^millrace: ovs-vswitchd \(process \d+\) .*ovs-system.*--force/);
    expect(millrace(["dump", "--dp", "ovs-system"]).stdout).toBe("");

    const forced = millrace(["load", "-", "--dp", "ovs-system", "--force"], flow);
    expect(forced.stderr).toContain("it deletes flows that it did not make");
    expect([forced.exitCode, forced.stdout]).toEqual([0, expect.stringContaining("1 applied")]);
    // The revalidators come round within half a second; a busy machine may take longer.
    const deadline = performance.now() + 20_000;
    const isThere = (): boolean => witness("ovs-dpctl", "dump-flows", "ovs-system").includes("eth");
    while (isThere() && performance.now() < deadline) await Bun.sleep(200);
    expect(isThere()).toBe(false);

    // The library's loads are as careful.
    using theirs = Datapath.open("ovs-system");
    expect(theirs.load([sampleLine(1)])).rejects.toMatchObject({ code: "OWNED" });
    expect(failure(() => theirs.loadSync([sampleLine(1)]))?.message).toContain("it deletes flows");
    expect(theirs.loadSync([sampleLine(1)], { force: true }).applied).toBe(1);

    expect(millrace(["load", "-", "--dp", own.name], flow).exitCode).toBe(0);
    expect(own.flows).toBe(1);
  },
);
