import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_PEERS } from "../../bench/peers.ts";
import { makePlan } from "../../bench/plan.ts";
import { fullSize } from "../../bench/size.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const size = { ...fullSize({ flows: 200, textFlows: 200, rounds: 1 }), dpctlFlows: 100 };

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
