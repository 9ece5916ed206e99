import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { limit } from "../runner/limit.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-input-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

function shell(command: string): { exitCode: number; stdout: string; stderr: string } {
  const child = Bun.spawnSync(["bash", "-c", command.replaceAll("millrace", MILLRACE)], {
    cwd: folder,
  });
  const { exitCode, stdout, stderr } = child;
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Whether a process handles SIGINT and SIGHUP by now: a load does before it reads, its launcher never. */
function handlesSignals(pid: number): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number.parseInt(caught?.slice(-1) ?? "0", 16) & 3) === 3;
}

describe("the input of a load", () => {
  test.each([
    ["millrace load /dev/null --dry-run", 0],
    ["millrace load - --dry-run </dev/null", 0],
    ["millrace load /dev/stdin --dry-run <flows", 2],
    ["millrace load <(cat flows) --dry-run", 2],
    // A descriptor is read from where it is: the shell has taken a line.
    ["{ read -r first; millrace load - --dry-run; } <flows", 1],
  ])("%s: read to its end, %i flows", (command, flows) => {
    writeFileSync(join(folder, "flows"), `${sampleLine(1)}\n${sampleLine(2)}\n`);
    const { exitCode, stdout, stderr } = shell(command);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`${flows} valid of ${flows} ${flows === 1 ? "line\n" : "lines\n"}`);
  });

  test.each([
    ["millrace load - --dry-run <.", "standard input: it is a folder"],
    ["millrace load - --dry-run 0>out", "standard input: it is not open for reading"],
    ["setsid -w millrace load /dev/tty --dry-run", "/dev/tty: there is nothing behind it"],
    ["millrace load /dev/zero --dry-run", "/dev/zero: it is a binary file"],
  ])("%s: one line that says why not, exit 2", (command, reason) => {
    const { exitCode, stdout, stderr } = shell(command);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toStartWith(`millrace: cannot read ${reason}`);
    expect(stderr.trim().split("\n").length).toBe(1);
  });

  test("names of ports in a dry run: those of a flow set are accepted, for others --any-port is named", () => {
    writeFileSync(join(folder, "named"), "in_port(veth1),eth(),eth_type(0x0806),arp() veth2\n");
    expect(shell("millrace compile named -o named.set").exitCode).toBe(0);
    for (const words of ["load named.set --dry-run", "load named --dry-run --any-port"]) {
      const { exitCode, stdout, stderr } = shell(`millrace ${words}`);
      expect([exitCode, stderr]).toEqual([0, ""]);
      expect(stdout).toContain("1 valid of 1 line\n");
    }
    const refused = shell("millrace load named --dry-run");
    expect([refused.exitCode, refused.stderr]).toEqual([
      1,
      "millrace: names of ports need a datapath: --dp NAME reads its ports, --any-port accepts every name\n",
    ]);
    expect(shell("echo bad | millrace load --dry-run").stderr).toBe("");
  });

  test.each(["millrace load - --dry-run <fifo", "millrace load fifo --dry-run"])(
    "%s: SIGINT ends the wait for its first byte, with a report, exit 4",
    async (command) => {
      shell("rm -f fifo; mkfifo fifo");
      // Opens it, and says nothing.
      const writer = Bun.spawn(["sh", "-c", "exec 3<>fifo; exec sleep 60"], { cwd: folder });
      const words = `exec ${command.replace("millrace", MILLRACE)} --json`;
      const child = Bun.spawn(["sh", "-c", words], { cwd: folder, stdout: "pipe" });
      while (!handlesSignals(child.pid)) await Bun.sleep(5);
      const killedAt = performance.now();
      child.kill("SIGINT");
      expect(await child.exited).toBe(4);
      expect(performance.now() - killedAt).toBeLessThan(limit(1));
      expect(JSON.parse(await child.stdout.text())).toMatchObject({
        lines: 0,
        ended: "interrupted",
      });
      writer.kill();
    },
  );

  test.each(["load - --dry-run --errors /nowhere/x", "compile - -o /nowhere/x"])(
    "%s: what fails before the input is read does not wait for it",
    (words) => {
      // A pipe that somebody has open, and says nothing.
      const silent = "rm -f fifo; mkfifo fifo; exec 3<>fifo";
      const { exitCode, stderr } = shell(`${silent}; timeout 30 millrace ${words} <fifo`);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("there is no such folder")]);
    },
  );

  test("SIGINT ends a compile that waits for more, which leaves no file", async () => {
    shell("rm -f fifo; mkfifo fifo");
    const writer = Bun.spawn(["sh", "-c", `exec 3<>fifo; echo '${sampleLine(1)}' >&3; sleep 60`], {
      cwd: folder,
    });
    const child = Bun.spawn([MILLRACE, "compile", "fifo", "-o", "set"], { cwd: folder });
    const isBegun = (): boolean => readdirSync(folder).some((name) => name.startsWith(".millrace"));
    while (!isBegun() || !handlesSignals(child.pid)) await Bun.sleep(5);
    const killedAt = performance.now();
    child.kill("SIGINT");
    expect(await child.exited).toBe(4);
    expect(performance.now() - killedAt).toBeLessThan(limit(1));
    expect([isBegun(), readdirSync(folder).includes("set")]).toEqual([false, false]);
    writer.kill();
  });
});
