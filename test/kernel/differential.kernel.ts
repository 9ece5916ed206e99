import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath } from "../../src/index.ts";
import { flushFlows } from "../../src/ovs/flow.ts";
import { Random } from "../flow/rules/random.ts";
import { testUnless } from "../runner/skip.ts";
import { NO_DPCTL, TestDatapath, witness } from "./lab.ts";
import { randomActions, randomKey } from "./language/random-keys.ts";
import { type RawHeld, rawFlows } from "./language/raw.ts";

/**
 * The same random flows through ovs-dpctl and through millrace: both refuse the same flows and
 * leave the same in the kernel, byte for byte; and the dump of either loads to the same again.
 */

const FLOWS = Number(process.env["MILLRACE_DIFFERENTIAL_FLOWS"] ?? 300);
const isLong = process.env["MILLRACE_DIFFERENTIAL_FLOWS"] !== undefined;
const SEED = Number(process.env["MILLRACE_PROPERTY_SEED"] ?? (isLong ? Date.now() & 0xffffff : 7));

/** Flows that are there together: each has a mask of its own, nearly, and a kernel has room for some 4,000. */
const TOGETHER = 300;

const folder = mkdtempSync(join(tmpdir(), "differential-"));
let made: TestDatapath;
let dp: Datapath;

beforeAll(() => {
  made = new TestDatapath("diff0");
  dp = Datapath.open(made.name);
});

afterAll(() => {
  dp[Symbol.dispose]();
  made[Symbol.dispose]();
});

/** A tunnel's fields that are matched as zero are in no dump of ovs-dpctl. */
const LOSSY = /tunnel\(/;

type Held = Map<string, RawHeld>;

/** What the kernel holds, by UFID. */
function held(): Held {
  return new Map(rawFlows(made.handle).map((flow) => [flow.ufid, flow]));
}

function ufidOf(n: number): string {
  return `${n.toString(16).padStart(8, "0")}-0000-0000-0000-000000000000`;
}

/** The UFID of flow number `n`, as the kernel has its bytes. */
function bytesOf(n: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes.toHex();
}

/** Puts lines into the empty datapath by ovs-dpctl. */
function putByDpctl(lines: readonly string[]): void {
  const path = join(folder, "flows.txt");
  writeFileSync(path, `${lines.join("\n")}\n`);
  Bun.spawnSync(["ovs-dpctl", "add-flows", made.name, path], { stderr: "ignore" });
}

/** Loads the lines of a dump. @returns those that do not come to what was there, whatever their UFIDs are */
function notReloaded(lines: readonly string[], before: Held): string[] {
  flushFlows(made.handle);
  const result = dp.loadSync(lines);
  const wrong = lines.flatMap((line, i) => {
    const error = result.errorOf(i);
    return error === undefined ? [] : [`${line}\n  does not load: ${error.message}`];
  });
  const known = new Map(Array.from(before.values(), (flow) => [numberOf(flow), flow]));
  for (const flow of held().values()) {
    const was = known.get(numberOf(flow));
    if (was?.match === flow.match && was.actions === flow.actions) continue;
    const line = lines.find((one) => one.includes(`recirc_id(0x${numberOf(flow).toString(16)})`));
    wrong.push(`${line}\n  was ${was?.match} ${was?.actions}\n  now ${flow.match} ${flow.actions}`);
  }
  return wrong;
}

/** Its recirc_id, which each flow has another one of. */
function numberOf({ match }: RawHeld): number {
  return new DataView(Uint8Array.fromHex(match.slice(8, 16)).buffer).getUint32(0, true);
}

testUnless(NO_DPCTL)(
  `${FLOWS} random flows are to millrace what they are to ovs-dpctl, seed ${SEED}`,
  () => {
    const random = new Random(SEED);
    const wrong: string[] = [];
    let taken = 0;
    for (let done = 0; done < FLOWS; done += TOGETHER) {
      const lines = Array.from(
        { length: Math.min(TOGETHER, FLOWS - done) },
        (_, i) => `ufid:${ufidOf(i)},${randomKey(random, done + i + 1)} ${randomActions(random)}`,
      );
      putByDpctl(lines);
      const theirs = held();
      const dumps = [["-m", "--no-names"], []].map((style) =>
        witness("ovs-dpctl", "dump-flows", ...style, made.name)
          .trim()
          .split("\n"),
      );
      flushFlows(made.handle);
      const result = dp.loadSync(lines);
      const ours = held();
      for (const verbose of [true, false])
        dumps.push(Array.from(dp.flows(), (flow) => flow.toString({ verbose, statistics: true })));
      taken += theirs.size;
      for (const [i, line] of lines.entries()) {
        const [one, other] = [theirs.get(bytesOf(i)), ours.get(bytesOf(i))];
        if (one === undefined && other !== undefined) wrong.push(`${line}\n  ovs-dpctl: refused`);
        else if (one !== undefined && other === undefined)
          wrong.push(`${line}\n  ovs-dpctl: taken; millrace: ${result.errorOf(i)?.message}`);
        else if (one?.match !== other?.match || one?.actions !== other?.actions)
          wrong.push(
            `${line}\n  ${one?.match} ${one?.actions}\n  ${other?.match} ${other?.actions}`,
          );
      }
      const [verbose = [], plain = [], ...own] = dumps;
      for (const dump of [verbose, plain])
        wrong.push(
          ...notReloaded(
            dump.filter((line) => !LOSSY.test(line)),
            theirs,
          ),
        );
      for (const dump of own) wrong.push(...notReloaded(dump, ours));
      flushFlows(made.handle);
    }
    expect(wrong).toEqual([]);
    // Neither verdict may be so rare that the test says nothing of it.
    expect(taken / FLOWS).toBeGreaterThan(0.4);
    expect(taken / FLOWS).toBeLessThan(0.9);
  },
  3_600_000,
);
