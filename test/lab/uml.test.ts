import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LabError } from "../../src/lab/error.ts";
import { peerPath } from "../../src/lab/index.ts";
import { onTerminal } from "../cli/on-terminal.ts";
import { FETCH_TIMEOUT_MS, endLabs, MILLRACE, NO_UML, inLab, writesNothing } from "./harness.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless } from "../runner/skip.ts";

setDefaultTimeout(limit(60));

let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace test's-"));
  if (NO_UML === undefined) await peerPath(["ip"]);
}, FETCH_TIMEOUT_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(endLabs);

/**
 * Every byte value, more than a serial line's buffer, including bytes that a terminal would
 * translate.
 */
function binary(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
  return bytes;
}

describeUnless(NO_UML)("a command in User Mode Linux", () => {
  test("gets its words, environment and folder as they are; its streams stay apart", async () => {
    const odd = ["", "a b", "it's", '"$HOME"', "`x`", "\\n", "line\nline", "*", "-n", "größe ☃"];
    const program = `
      process.stdout.write(JSON.stringify({
        words: process.argv.slice(1), cwd: process.cwd(), odd: process.env.ODD, path: process.env.PATH,
        func: process.env["BASH_FUNC_f%%"], tmp: process.env.TMPDIR, release: require("os").release(),
      }));
      process.stderr.write("to the side");
      process.exit(7);`;
    const startedAt = performance.now();
    const said = await inLab([process.execPath, "-e", program, "--", ...odd], {
      cwd: folder,
      env: { ...process.env, ODD: 'a\'b\n"c"', "BASH_FUNC_f%%": "() { :; }" },
    });
    expect(said.err).toBe("to the side");
    expect(said.exitCode).toBe(7);
    expect(said.bootMs).toBeGreaterThan(0);
    expect(said.bootMs).toBeLessThan(performance.now() - startedAt);
    expect(said).toMatchObject({ kernel: "uml", timedOut: false });
    expect(JSON.parse(said.out)).toEqual({
      words: odd,
      cwd: folder,
      odd: 'a\'b\n"c"',
      path: expect.stringContaining("/src/cli:"),
      func: "() { :; }",
      tmp: "/run/tmp",
      release: said.release,
    });
  });

  test("carries bytes both ways unchanged, and leaves its files on the host", async () => {
    const bytes = binary(3_000_001);
    const said = await inLab(
      ["sh", "-c", 'tee "$1" | tee /dev/stderr', "sh", join(folder, "copy")],
      {
        stdin: bytes,
      },
    );
    expect(Buffer.from(said.stdout).equals(bytes)).toBe(true);
    expect(Buffer.from(said.stderr).equals(bytes)).toBe(true);
    expect(readFileSync(join(folder, "copy")).equals(bytes)).toBe(true);
  });

  test("finds the datapath, its network and its modules", async () => {
    const script = `
      set -e
      [ "$(cat /sys/class/net/lo/operstate)" = unknown ]; ip -o addr show lo | grep -q 127.0.0.1
      [ -d /sys/module/openvswitch ]; [ ! -d /sys/module/vxlan ]
      for m in veth dummy tun nlmon ipv6 vxlan geneve ip_gre vport-vxlan vport-geneve vport-gre \\
        nf_conntrack_netlink nf_conntrack_ftp cls_flower; do modprobe $m || { echo "no $m"; exit 1; }; done
      [ -d /sys/module/vport_vxlan ]; [ -d /sys/module/nf_conntrack_ftp ]
      ip link add v0 type veth peer name v1; ip link add d0 type dummy; ip link add n0 type nlmon
      ip tuntap add t0 mode tap; ip link add gt0 type gretap external
      modprobe nonesuch 2>&1 && exit 1
      modprobe -r nf_conntrack_ftp; [ ! -d /sys/module/nf_conntrack_ftp ]
      mount | grep -q ' on /run type tmpfs'; touch $TMPDIR/a; [ ! -e /proc/1/cwd/nothing ]
      command -v millrace bun; unshare -rn true; echo fine`;
    const said = await inLab(["sh", "-c", script]);
    expect(said.out).toEndWith("fine\n");
    expect(said.exitCode).toBe(0);
  });

  test("ends by its own signal, its own failure to start, and takes its children with it", async () => {
    const script = "sleep 100 & (setsid sleep 100 &) ; echo started; kill -TERM $$";
    const [killed, absent] = await Promise.all([
      inLab(["sh", "-c", script]),
      inLab(["/nonexistent/program"]),
    ]);
    expect(killed).toMatchObject({ out: "started\n", err: "", exitCode: 128 + 15 });
    expect(absent.exitCode).toBe(127);
    expect(absent.err).toContain("/nonexistent/program");
  });

  test("is ended at its time limit, with what it had said", async () => {
    const said = await inLab(["sh", "-c", "echo early; exec sleep 1000"], { timeoutMs: limit(2) });
    expect(said).toMatchObject({ exitCode: 124, timedOut: true, out: "early\n" });
  });

  test("is given its output piece by piece, while it runs", async () => {
    const seen: string[] = [];
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    async function* answer(): AsyncGenerator<Uint8Array> {
      // The command waits for this answer, so its question must have come through before.
      await heard;
      yield Buffer.from("answer\n");
    }
    const said = await inLab(["sh", "-c", 'echo question; read -r line; echo "got $line"'], {
      stdin: answer(),
      stdout: (chunk) => {
        seen.push(Buffer.from(chunk).toString());
        resolve();
      },
    });
    expect(seen.join("")).toBe("question\ngot answer\n");
    expect(said.exitCode).toBe(0);
  });

  test("says what went wrong with the kernel, and with what can never run", async () => {
    const panic = inLab(["sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100"], {
      timeoutMs: limit(20),
    });
    expect(panic).rejects.toMatchObject({
      code: "GUEST",
      message: expect.stringMatching(/Kernel panic.*sysrq.*\n[^]*Call Trace/),
    });
    expect(inLab(["true"], { cwd: "/nonexistent" })).rejects.toBeInstanceOf(LabError);
    expect(inLab([])).rejects.toMatchObject({ code: "USAGE" });
    expect(inLab(["true"], { memoryMiB: 1e9 })).rejects.toMatchObject({ code: "MEMORY" });
    await panic.catch(() => undefined);
  });

  test("leaves the disk as it is where it may only read", async () => {
    await writesNothing("uml", folder);
    const onHost = inLab(["true"], { kernel: "host", readOnly: true });
    expect(onHost).rejects.toMatchObject({ code: "USAGE" });
    await onHost.catch(() => undefined);
  });

  test("runs the host route for an ordinary user inside", async () => {
    writeFileSync(
      join(folder, "host.ts"),
      `import { runInLab } from ${JSON.stringify(join(import.meta.dir, "../../src/lab/index.ts"))};
      const script = 'id -u; cat /proc/self/uid_map; ls /sys/class/net; ip -o -4 addr show lo; echo "$TMPDIR"; touch "$TMPDIR/mine"; cat; exit 6';
      const result = await runInLab({ kernel: "auto", command: ["sh", "-c", script], stdin: Buffer.from("input"), stdout: "pipe" });
      const limited = await runInLab({ kernel: "host", command: ["sleep", "100"], timeoutMs: 100 });
      const stuck = 'umount "$TMPDIR"; mkdir -p "$TMPDIR/x/y"; chmod 500 "$TMPDIR/x"; exit 9';
      const kept = await runInLab({ kernel: "host", command: ["sh", "-c", stuck] });
      const left = new Bun.Glob("millrace-lab-*").scanSync({ cwd: process.env.TMPDIR, onlyFiles: false });
      console.log(JSON.stringify({ ...result, stdout: Buffer.from(result.stdout).toString(), limited: limited.exitCode, kept: kept.exitCode, left: [...left], uid: process.getuid() }));`,
    );
    const user = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"];
    const file = join(folder, "host.ts");
    const said = await inLab([
      "sh",
      "-c",
      'ip link add outside type dummy && chmod 755 "$(dirname "$1")" && shift && exec "$@"',
      "sh",
      file,
      ...user,
      process.execPath,
      file,
    ]);
    expect(said.err).toBe("");
    const result = JSON.parse(said.out);
    expect(result).toMatchObject({
      kernel: "host",
      exitCode: 6,
      limited: 124,
      // What it leaves behind does not change the status of a command.
      kept: 9,
      left: [expect.stringContaining("millrace-lab-")],
      uid: 1000,
    });
    const [uid, map, ...rest] = result.stdout.split("\n");
    expect(uid).toBe("0");
    expect(map.trim().split(/\s+/)).toEqual(["0", "1000", "1"]);
    expect(rest).not.toContain("outside");
    expect(rest[0]).toBe("lo");
    expect(rest[1]).toContain("127.0.0.1");
    expect(rest.at(-1)).toBe("input");
  });

  test("a shell's terminal has the size of the caller's, whenever that changes", async () => {
    const size = (cols: number, rows: number) => ({ cols, rows });
    const shell = onTerminal([MILLRACE, "lab", "shell", "--kernel", "uml", "--memory", "1024"], {
      env: { SHELL: "/bin/sh" },
      size: size(91, 23),
    });
    await shell.shows("booting User Mode Linux");
    // While it boots as well.
    shell.resize(size(92, 24));
    await shell.shows("# ");
    for (const [cols, rows] of [
      [92, 24],
      [133, 41],
      [60, 20],
    ] as const) {
      shell.resize(size(cols, rows));
      const due = performance.now() + limit(20);
      // What is typed before the prompt is answered behind it.
      const answer = ` ${rows} ${cols}\r`;
      const said = (from: number): string => shell.text.slice(from).replaceAll("\n", " ");
      let from: number;
      do {
        from = shell.text.length;
        shell.type("stty size\r");
        await shell.shows(/[\n ]\d+ \d+\r/, from);
      } while (!said(from).includes(answer) && performance.now() < due);
      expect(said(from)).toContain(answer);
    }
    shell.type("exit 7\r");
    expect(await shell.ended).toBe(7);
    // What was said of the boot is gone again.
    const [said = ""] = shell.text.split("booting User Mode Linux").slice(1);
    expect(said.slice(said.indexOf("\r"))).toStartWith("\r\u001b[K");
  });
});
