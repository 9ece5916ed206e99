import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { millrace, TestDatapath } from "./lab.ts";

const folder = mkdtempSync(join(tmpdir(), "owners-"));
afterAll(() => rmSync(folder, { recursive: true }));

const lines = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => sampleLine(first + i));

/** How many flows are whose. */
function owned(dp: Datapath, owners: readonly string[]): number[] {
  const flows = [...dp.flows()];
  return owners.map((owner) => flows.filter((flow) => flow.isOwnedBy(owner)).length);
}

describe("two sets in one datapath", () => {
  test("are told apart, and each is found by its owner alone", async () => {
    using of = new TestDatapath("own1");
    using controller = Datapath.open(of.name, { owner: "controller" });
    using nobody = Datapath.open(of.name);
    expect((await controller.load(lines(0, 300))).applied).toBe(300);
    expect((await nobody.load(lines(1000, 200))).applied).toBe(200);
    const asked = millrace(
      ["load", "-", "--dp", of.name, "--owner", "a person"],
      lines(2000, 100).join("\n"),
    );
    expect(asked.exitCode).toBe(0);
    expect(owned(nobody, ["controller", "", "a person", "another"])).toEqual([300, 200, 100, 0]);
    // Loaded again it changes nothing.
    expect((await nobody.load(lines(0, 300), { owner: "controller" })).applied).toBe(300);
    expect(owned(nobody, ["controller", "", "a person"])).toEqual([300, 200, 100]);

    expect(nobody.get(sampleLine(7))).toBeUndefined();
    expect(controller.get(sampleLine(7))?.isOwnedBy("controller")).toBe(true);
    expect([nobody.remove(sampleLine(7)), controller.remove(sampleLine(7))]).toEqual([false, true]);
    controller.put(sampleLine(7));
    expect(owned(nobody, ["controller"])).toEqual([300]);
    const del = ["flow", "del", sampleLine(2001).split(" ")[0] ?? "", "--dp", of.name];
    expect(millrace(del).exitCode).toBe(1);
    expect(millrace([...del, "--owner", "a person"]).exitCode).toBe(0);
    expect(owned(nobody, ["a person"])).toEqual([99]);
  });

  test("may not hold the same flow: the second put is rejected, and changes nothing", async () => {
    using of = new TestDatapath("own2");
    using controller = Datapath.open(of.name, { owner: "controller" });
    controller.put(sampleLine(1));
    const other = await controller.load([sampleLine(1).replace(/ 2$/, " 3")], { owner: "" });
    expect([other.applied, other.rejected]).toEqual([0, 1]);
    expect(controller.get(sampleLine(1))?.toString()).toEndWith("actions:2");
  });

  test("a request without a UFID finds the flow of its owner", async () => {
    using of = new TestDatapath("own3");
    using dp = Datapath.open(of.name, { owner: "controller" });
    await dp.load(lines(0, 3));
    const changed = lines(0, 3).map((line) => `modify ${line.replace(/ 2$/, " 3")}`);
    expect((await dp.load(changed, { ufid: false, owner: "" })).applied).toBe(0);
    expect((await dp.load(changed, { ufid: false })).applied).toBe(3);
    expect([...dp.flows()].every((flow) => flow.toString().endsWith("actions:3"))).toBe(true);
    expect((await dp.load(lines(0, 3), { ufid: false, mode: "delete" })).applied).toBe(3);
    expect([...dp.flows()]).toEqual([]);
  });

  test("flow sets, flows of a dump and batches are the owner's that loads them", async () => {
    using of = new TestDatapath("own4");
    using dp = Datapath.open(of.name, { owner: "controller" });
    const set = join(folder, "set.mrs");
    const compiled = millrace(["compile", "-", "-o", set, "--owner", "a"], lines(0, 50).join("\n"));
    expect(compiled.exitCode).toBe(0);
    expect((await dp.load(set)).applied).toBe(50);
    expect(owned(dp, ["controller", "a"])).toEqual([50, 0]);
    dp.flush();
    expect((await dp.load(set, { owner: "a" })).applied).toBe(50);
    expect(owned(dp, ["controller", "a"])).toEqual([0, 50]);
    // What is somebody else's stays so.
    const [flow] = dp.flows();
    dp.flush();
    expect((await dp.load(flow === undefined ? [] : [flow])).applied).toBe(1);
    expect(owned(dp, ["controller", "a"])).toEqual([0, 1]);
    dp.flush();
    using batch = dp.batch();
    for (const line of lines(0, 10)) batch.add(line);
    expect(batch.flush().applied).toBe(10);
    expect(owned(dp, ["controller", ""])).toEqual([10, 0]);
  });
});
