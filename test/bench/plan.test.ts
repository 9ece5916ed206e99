import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { barsOf } from "../../bench/bars.ts";
import { figuresOf } from "../../bench/figures.ts";
import { LAB_PARTS } from "../../bench/model.ts";
import { NO_PEERS } from "../../bench/peers.ts";
import { makePlan } from "../../bench/plan.ts";
import { peerRows } from "../../bench/report/svg.ts";
import { fullSize } from "../../bench/size.ts";
import { results, run } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const size = {
  ...fullSize({ flows: 200, textFlows: 200, rounds: 1, rate: 20_000 }),
  dpctlFlows: 100,
  // Plans hold compiled files: of 4,000 masks that takes a while.
  otherMasks: [1000],
};

test("OVS's library is to leave the flows of its neighbours, and reads them as text", () => {
  const peers = { ...NO_PEERS, dpif: "/dpif", dpctl: true };
  const { variants } = makePlan(folder, ["peers"], size, peers);
  const found = variants.filter(({ program }) => program === "libopenvswitch");
  expect(found.map(({ command }) => command)).toEqual([
    ["/dpif", "operate", "bench0", join(folder, "200.txt")],
    ["/dpif", "text", "bench0", join(folder, "100.txt")],
  ]);
  for (const { work, program } of found) {
    const same = variants.filter((variant) => variant.work === work);
    expect(same.some((variant) => variant.program !== program)).toBe(true);
  }
  expect(new Set(variants.map(({ name }) => name)).size).toBe(variants.length);
});

test("every bar finds its variant by its id, whatever its name says, and so does every peer", () => {
  const peers = { ...NO_PEERS, dpctl: true, limit: "/l", mnl: "/m", dpif: "/d", pyroute: ["/p"] };
  const { variants } = makePlan(folder, LAB_PARTS, size, peers);
  const ids = variants.map(({ part, id }) => `${part} ${id}`);
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  const native = { part: "native", flows: 1000 } as const;
  const measured = results(
    ...variants.map(({ part, id, program, flows, packing }) => {
      const found = { part, name: "…", program, flows, tenths: [1, 1], peakResidentBytes: 1e6 };
      return run(id, 0, flows + 1, packing === undefined ? found : { ...found, packing });
    }),
    run("text-to-bytes", 0, 1, native),
    ...["print-dump line", "print-dump line of -m", "parse and encode-sample lines, UFID"].map(
      (name) => run(`micro-${name}`, 0, 1, { part: "micro", flows: 1 }),
    ),
    ...(["all", "dump", "read", "send"] as const).map((step) =>
      run(`sync-${step}`, 0, 1, { part: "sync", flows: 1 }),
    ),
    run("sync-diff-printed", 0, 1, { part: "sync", flows: 1 }),
    run("sync-diff-datapaths", 0, 1, { part: "sync", flows: 1, peakResidentBytes: 1e6 }),
    run("ovs-parse", 0, 2, { ...native, program: "libopenvswitch" }),
    run("dry-run", 0, 1, { ...native, peakResidentBytes: 1e6 }),
    run("start-bun", 0, 1, { ...native, program: "bun" }),
    run("start-version", 0, 1, native),
    run("start-load", 0, 1, native),
  );
  const figures = figuresOf(measured);
  expect(barsOf(measured, figures).filter(({ met }) => met === undefined)).toEqual([]);
  // The limit, four ways of millrace's, and six peers.
  expect(peerRows(figures)).toHaveLength(11);
});

test("a peer that is missing has no variant", () => {
  const { variants } = makePlan(folder, ["peers"], size, NO_PEERS);
  expect(new Set(variants.map(({ program }) => program))).toEqual(new Set(["millrace"]));
});

test("what does not warm itself has a warm-up of few flows by the same program", () => {
  const peers = { ...NO_PEERS, dpif: "/dpif", pyroute: ["/py"], limit: "/limit", dpctl: true };
  const { variants } = makePlan(folder, ["peers", "growth"], size, peers);
  expect(new Set(variants.map(({ part, name }) => `${part} ${name}`)).size).toBe(variants.length);
  const cold = variants.filter(({ warmUp, flows }) => warmUp === undefined && flows > 0);
  // The C program and millrace's own scripts send their flows before the clock runs.
  expect(new Set(cold.map(({ command }) => command[0]))).toEqual(
    new Set(["/limit", join(import.meta.dir, "../../src/cli/bun")]),
  );
  for (const { command, warmUp = command } of variants) expect(warmUp[0]).toBe(command[0] ?? "");
});
