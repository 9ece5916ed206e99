import { expect, test } from "bun:test";
import { failure, millrace, TestDatapath, witness } from "./lab.ts";
import { Datapath } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { HAS_VSWITCHD, Vswitchd } from "./vswitchd.ts";

test.skipIf(!HAS_VSWITCHD)(
  "a load into ovs-vswitchd's datapath wants --force; it deletes the flow; others are free",
  async () => {
    using daemon = new Vswitchd();
    // Its first bridge has the daemon delete every other datapath there is.
    using own = new TestDatapath("own0");
    expect(daemon.isRunning).toBe(true);
    const flow = `${sampleLine(1)}\n`;
    const refused = millrace(["load", "-", "--dp", "ovs-system"], flow);
    expect(refused.exitCode).toBe(2);
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
