import { expect } from "bun:test";
import { failure, millrace, TestDatapath, witness } from "./lab.ts";
import { fileOf } from "./sets.ts";
import { NO_VSWITCHD, Vswitchd } from "./vswitchd.ts";
import { Datapath } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";

testUnless(NO_VSWITCHD)(
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
    // The revalidators come round within half a second.
    const deadline = performance.now() + limit(20);
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

const SYNCS = 6;

testUnless(NO_VSWITCHD)(
  "a sync beside ovs-vswitchd ends each time and says what it did; when the daemon is gone, the next one converges",
  async () => {
    using daemon = new Vswitchd();
    using theirs = Datapath.open("ovs-system");
    const lines = Array.from({ length: 200 }, (_, i) => sampleLine(i));
    const file = fileOf("beside.txt", lines.join("\n"));
    const sync = (...more: readonly string[]) => {
      const args = ["sync", file, "--dp", "ovs-system", "--json", ...more];
      const { exitCode, stdout } = millrace(args);
      return { exitCode, report: stdout === "" ? undefined : JSON.parse(stdout) };
    };
    expect(sync()).toEqual({ exitCode: 3, report: undefined });
    expect(theirs.info().stats.flows).toBe(0);
    for (let turn = 0; turn < SYNCS; turn++) {
      // A packet has the daemon make a flow of its own.
      theirs.execute(
        { packet: new Uint8Array(60).fill(turn + 2, 6, 12), key: "in_port(own-br0)" },
        "recirc(0)",
      );
      await Bun.sleep(150);
      const { exitCode, report } = sync("--force");
      expect(report).toMatchObject({ ended: "complete", failed: 0, unknown: 0, conflicts: [] });
      expect([exitCode, report.added + report.unchanged]).toEqual([0, lines.length]);
      expect(report.deleted).toBe(0);
    }
    daemon.kill();
    expect(sync("--verify")).toMatchObject({ exitCode: 0, report: { differing: 0 } });
    expect(millrace(["verify", file, "--dp", "ovs-system"]).exitCode).toBe(0);
    expect(sync().report).toMatchObject({ sent: 0, unchanged: lines.length });
  },
);
