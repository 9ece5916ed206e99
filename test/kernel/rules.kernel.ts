import { expect, test } from "bun:test";
import { Datapath } from "../../src/index.ts";
import { ALL_FEATURES, type KernelFeatures } from "../../src/flow/rules/features.ts";
import { Random, randomFlow } from "../flow/rules/random.ts";
import { verdict } from "../flow/rules/support.ts";
import { TestDatapath } from "./lab.ts";

const SEED = Number(process.env["MILLRACE_SEED"] ?? 1);
const FLOWS = Number(process.env["MILLRACE_RUNS"] ?? 5000);

const IPV4 = "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)";

/** Flows that stand in the datapath together. */
const BATCH = 500;

/** Key and actions were fine: the flow met another one there (`ovs_flow_cmd_new`, after all checks). */
const MET_ANOTHER: ReadonlySet<string> = new Set(["EEXIST", "ENOENT"]);

/** What the kernel says of each flow: the name of its errno, or nothing. The flows are gone afterwards. */
function kernelVerdicts(dp: Datapath, lines: readonly string[]): readonly (string | undefined)[] {
  const result = dp.loadSync(lines);
  dp.flush();
  expect(result.length).toBe(lines.length);
  return lines.map((_, index) => {
    const code = result.errorOf(index)?.code;
    return code !== undefined && MET_ANOTHER.has(code) ? undefined : code;
  });
}

/** What this kernel can do, asked of the kernel. */
function probe(dp: Datapath): KernelFeatures {
  const takes = (line: string): boolean => kernelVerdicts(dp, [line])[0] === undefined;
  const psample = takes(`${IPV4} psample(group=1)`);
  const drop = takes(`${IPV4} drop(1)`);
  return {
    ...ALL_FEATURES,
    actionMax: psample ? 25 : drop ? 24 : 23,
    keyMax: takes(`${IPV4},key32(00 01/00 01) 1`) ? 32 : 31,
    psample,
    hashSymL4: takes(`${IPV4} hash(sym_l4(0))`),
    ct: takes(`${IPV4} ct`),
    ctZones: takes(`${IPV4} ct(zone=1)`),
    ctMark: takes(`${IPV4} ct(commit,mark=1)`),
    ctLabels: takes(`${IPV4} ct(commit,label=1)`),
    ctTimeout: takes(`${IPV4} ct(timeout=none-such)`),
    nat: takes(`${IPV4} ct(nat)`),
  };
}

test(`${FLOWS} random flows: the rules say what the kernel says (seed ${SEED})`, () => {
  using made = new TestDatapath("rules0");
  using dp = Datapath.open(made.name);
  const features = probe(dp);
  const random = new Random(SEED);
  let taken = 0;
  const wrong: string[] = [];
  for (let done = 0; done < FLOWS; done += BATCH) {
    const lines = Array.from({ length: Math.min(BATCH, FLOWS - done) }, () => randomFlow(random));
    for (const [index, theirs] of kernelVerdicts(dp, lines).entries()) {
      const line = lines[index] ?? "";
      const ours = verdict(line, features)?.reason;
      if (theirs === undefined) taken++;
      if ((ours === undefined) !== (theirs === undefined))
        wrong.push(`${line}\n  kernel: ${theirs ?? "taken"}; rules: ${ours ?? "taken"}`);
    }
  }
  expect(wrong).toEqual([]);
  // Neither verdict may be so rare that the test says nothing of it.
  expect(taken / FLOWS).toBeGreaterThan(0.1);
  expect(taken / FLOWS).toBeLessThan(0.9);
});
