import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Datapath } from "../../src/datapath.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { FlowsFeed } from "../../src/format/flows-feed.ts";
import { load } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { Sender } from "../../src/load/send/sender.ts";
import { createDatapath, deleteDatapath, getDatapath, handleOf } from "../../src/ovs/datapath.ts";
import { dumpFlows, getFlow } from "../../src/ovs/flow.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { ENOENT } from "../../src/sys/errno.ts";
import { OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";
import { failure, IS_UML, witness } from "./lab.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless } from "../runner/skip.ts";

/** Reloads the kernel's module; there must be no datapath. */
function reload(): void {
  const loaded = ["vport_geneve", "vport_vxlan", "vport_gre", "openvswitch"].filter((name) =>
    existsSync(`/sys/module/${name}`),
  );
  // One after the other: a tunnel's module holds that of the datapath.
  witness("modprobe", "-r", ...loaded);
  witness("modprobe", "openvswitch");
}

function deleteIt(name: string): void {
  using channel = new OvsChannel();
  deleteDatapath(channel, name);
}

const NOT_OURS = IS_UML ? undefined : "the module of a machine stays as it is";

describeUnless(NOT_OURS)("after the module was loaded anew", () => {
  test("an open channel finds its families again, and what it says is of the new ones", () => {
    using channel = new OvsChannel();
    createDatapath(channel, "mod0");
    const before = channel.family(OVS_FLOW_FAMILY).id;
    deleteIt("mod0");
    reload();
    const made = handleOf(channel, createDatapath(channel, "mod0"));
    expect(getDatapath(channel, "mod0").index).toBe(made.index);
    expect([...dumpFlows(made)]).toEqual([]);
    expect(getFlow(made, { ufid: new Uint8Array(16).fill(1) }, () => {})).toBe(false);
    expect(channel.family(OVS_FLOW_FAMILY).id).not.toBe(before);
    deleteDatapath(channel, "mod0");
  });

  test("a dump and a read of an open datapath say that it is gone", () => {
    for (const ask of [
      (dp: Datapath) => [...dp.flows({ terse: true })],
      (dp: Datapath) => dp.get(sampleLine(1).replace(/ 2$/, "")),
      (dp: Datapath) => dp.remove("ufid:11111111-2222-3333-4444-555555555555"),
      (dp: Datapath) => dp.info(),
    ]) {
      using dp = Datapath.create("mod1");
      expect(ask(dp)).not.toBeNull();
      deleteIt("mod1");
      reload();
      expect(["ENODEV", "NO_DATAPATH"]).toContain(failure(() => ask(dp))?.code ?? "nothing");
    }
  });

  test.each(["put", "add", "modify", "delete"] as const)(
    "a load of %s ends, and no flow is taken for one that is not there",
    async (mode) => {
      using channel = new OvsChannel();
      const datapath = handleOf(channel, createDatapath(channel, "mod2"));
      const flows = Array.from({ length: 20 }, (_, i) => sampleLine(i));
      const sender = new Sender({ datapath }, new Account(), {
        tolerate: new Set([ENOENT]),
      });
      async function* lines(): AsyncGenerator<string> {
        yield `add ${sampleLine(100)}`;
        // What was given is sent meanwhile.
        await Bun.sleep(limit(0.2));
        deleteIt("mod2");
        reload();
        yield* flows;
      }
      const feed = new FlowsFeed("script", lines(), { ufid: true, mode });
      const report = await load(feed, sender);
      expect([report.applied, report.rejected, report.ended]).toEqual([1, 20, "fatal"]);
      expect(report.errors[0]).toMatchObject({ code: "ESTALE" });
      expect(report.endReason).toContain("loaded anew");
    },
  );

  test("a batch that is kept says so, too", () => {
    using dp = Datapath.create("mod3");
    using batch = dp.batch();
    batch.add(sampleLine(1));
    expect(batch.flush().applied).toBe(1);
    deleteIt("mod3");
    reload();
    batch.add(sampleLine(2));
    batch.add(`delete ${sampleLine(1).replace(/ 2$/, "")}`);
    const { applied, exceptions } = batch.flush();
    expect([applied, ...exceptions.map(({ code }) => code)]).toEqual([0, "ESTALE", "ESTALE"]);
  });
});
