import type { SyncResult } from "../../src/state/synchronize.ts";
import { hashOf, keyText, type Match } from "../load/truth.ts";
import { areHarmless, type Fault } from "./faults.ts";
import { type FlowState, type History, statesOf } from "./history.ts";
import { meaningOf } from "./lines.ts";
import { kept, type Operation } from "./operation.ts";
import { must } from "./violation.ts";
import type { Random } from "../../src/testing/random.ts";
import type { World } from "./world.ts";

// A datapath is brought to a wanted set.

/** A flow that is wanted. */
type Wanted = {
  readonly text: string;
  readonly match: string;
  readonly actions: string;
  readonly ufid: string;
};

const OPTIONS = { maxChange: 100, allowEmpty: true };

/** Only the owner's flows are touched, none that stays is ever absent, and what is said to be done is done. */
export const SYNC: Operation = {
  name: "sync",
  weight: 8,
  run: async (world, step, random) => {
    const some = world.matches.filter(() => random.chance(50));
    const each = new Map(
      some.map((match) => wantedOf(match, random)).map((one) => [one.match, one]),
    );
    const wanted = kept([...each.values()], step);
    const owned = ownedBy(world);
    const result = await syncOnce(world, step.faults, random, wanted);
    checkTouched(world.history, wanted, owned);
    if (result !== undefined && areHarmless(step.faults)) checkDone(world, wanted, owned, result);
    if (world.state === undefined || result === undefined) world.restart();
    // Once more, undisturbed: then a third time nothing is sent.
    const before = ownedBy(world);
    const again = await syncOnce(world, [], random, wanted);
    must(again !== undefined, () => "a sync without faults fails");
    if (again === undefined) return;
    checkTouched(world.history, wanted, before);
    checkDone(world, wanted, before, again);
    if (again.conflicts.length > 0 || again.failed > 0) return;
    const third = await syncOnce(world, [], random, wanted);
    must(third?.sent === 0, () => `a sync that was done sends ${third?.sent} requests`);
  },
};

function wantedOf(match: Match, random: Random): Wanted {
  const text = `${keyText(match)} ${1 + random.below(3)}`;
  return { text, ...meaningOf(text), ufid: hashOf(match) };
}

async function syncOnce(
  world: World,
  faults: readonly Fault[],
  random: Random,
  wanted: readonly Wanted[],
): Promise<SyncResult | undefined> {
  world.begin();
  let result: SyncResult | undefined;
  const failed = await world.with(faults, random, async () => {
    result = await world.dp.sync(
      wanted.map(({ text }) => text),
      { ...OPTIONS, verify: random.chance(50) },
    );
  });
  must(failed === undefined || faults.length > 0, () => `a sync fails: ${failed?.stack}`);
  return result;
}

/** Matches of the flows whose UFID is their hash. */
function ownedBy(world: World): ReadonlySet<string> {
  const hashes = new Map(
    world.matches.map((match) => [meaningOf(`${keyText(match)} 1`).match, hashOf(match)]),
  );
  const states = world.state === undefined ? [] : statesOf(world.state.table);
  return new Set(
    Array.from(states).flatMap(([match, { ufid }]) => (hashes.get(match) === ufid ? [match] : [])),
  );
}

function checkTouched(
  history: History,
  wanted: readonly Wanted[],
  owned: ReadonlySet<string>,
): void {
  const byMatch = new Map(wanted.map((one) => [one.match, one]));
  const put = new Set<string>();
  for (const { match, change, after, byOther } of history.events) {
    if (byOther) continue;
    const own = byMatch.get(match);
    if (change === "put") {
      must(own?.actions === after?.actions, () => `a sync puts ${match}, which is not wanted so`);
      put.add(match);
      continue;
    }
    must(
      owned.has(match) || put.has(match),
      () => `a sync touches ${match}, which is not the owner's: ${change}`,
    );
    if (change === "actions")
      must(own?.actions === after?.actions, () => `a sync changes ${match}, as nobody wants it`);
    else must(own === undefined, () => `a sync deletes ${match}, which is wanted`);
  }
}

function checkDone(
  world: World,
  wanted: readonly Wanted[],
  owned: ReadonlySet<string>,
  result: SyncResult,
): void {
  const { history } = world;
  const tell =
    (what: string): (() => string) =>
    () =>
      `${what}: ${JSON.stringify(result)}`;
  if (result.conflicts.length > 0) {
    must(history.events.length === 0, tell("a sync with conflicts changes flows"));
    return;
  }
  const count = (change: string): number =>
    history.events.filter((event) => event.change === change).length;
  must(result.added === count("put"), tell(`${count("put")} flows were added`));
  must(result.changed === count("actions"), tell(`${count("actions")} flows were changed`));
  must(result.deleted === count("removed"), tell(`${count("removed")} flows were deleted`));
  if (result.failed > 0 || result.ended !== "complete") return;
  const now: ReadonlyMap<string, FlowState> =
    world.state === undefined ? new Map() : statesOf(world.state.table);
  for (const { match, actions, ufid, text } of wanted) {
    const is = now.get(match);
    // One that was there stays what it is, whoever named it.
    const isNamed = history.start.has(match) || is?.ufid === ufid;
    must(is?.actions === actions && isNamed, tell(`"${text}" is ${JSON.stringify(is)}`));
  }
  const wantedMatches = new Set(wanted.map(({ match }) => match));
  for (const match of owned) {
    must(wantedMatches.has(match) || !now.has(match), tell(`${match} is left`));
  }
  if (result.differing !== null) must(result.differing === 0, tell("it differs"));
}
