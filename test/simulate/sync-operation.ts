import { excludeEachOther } from "../../src/state/obstacles.ts";
import type { SyncResult } from "../../src/state/synchronize.ts";
import { OVS_FLOW_CMD_DEL } from "../../src/uapi/openvswitch.ts";
import { Flow } from "../../src/flow/flow.ts";
import { keyText } from "../load/truth.ts";
import { areHarmless, areHarmlessToDumps, type Fault } from "./faults.ts";
import { type FlowEvent, type FlowState, type History, statesOf } from "./history.ts";
import { meaningOf } from "./lines.ts";
import { kept, type Operation } from "./operation.ts";
import { MANY, matchOfText } from "./small-operations.ts";
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

/** How a set is brought about. */
type Manner = {
  readonly owner: string;
  readonly allowGap: boolean;
  readonly rollback: boolean;
  readonly verify: boolean;
  /** Flows of every owner may be touched. */
  readonly all: boolean;
};

const OPTIONS = { maxChange: 100, allowEmpty: true };
const OWNERS = ["", "", "a", "b"] as const;

/** Only the owner's flows are touched, none that stays is ever absent, and what is said to be done is done. */
export const SYNC: Operation = {
  name: "sync",
  weight: 14,
  run: async (world, step, random) => {
    const manner: Manner = {
      owner: random.of(OWNERS),
      allowGap: random.chance(40),
      rollback: random.chance(60),
      verify: random.chance(50),
      all: random.chance(15),
    };
    // More than a piece of a dump holds.
    const isLong = random.chance(15);
    putOthers(world, random, isLong, manner.owner);
    const texts = [...world.matches.map(keyText), ...(isLong ? MANY_KEYS : [])];
    const each = new Map(
      texts
        .filter(() => random.chance(50))
        .map((key) => wantedOf(key, 1 + random.below(3), manner))
        .map((one) => [one.match, one]),
    );
    const wanted = kept([...each.values()], step);
    const owned = ownedBy(world, texts, manner);
    const result = await syncOnce(world, step.faults, random, wanted, manner);
    checkTouched(world.history, wanted, owned, { ...manner, result });
    if (result !== undefined) {
      checkRolledBack(world, manner, result);
      checkOrder(world.history, wanted, manner, result);
      // One that read a dump in doubt would have failed.
      if (areHarmless(step.faults)) checkDone(world, wanted, owned, result);
    }
    if (world.state === undefined || result === undefined) world.restart();
    // Once more, undisturbed: then a third time nothing is sent.
    const before = ownedBy(world, texts, manner);
    const again = await syncOnce(world, [], random, wanted, manner);
    must(again !== undefined, () => "a sync without faults fails");
    if (again === undefined) return;
    checkTouched(world.history, wanted, before, { ...manner, result: again });
    checkRolledBack(world, manner, again);
    checkDone(world, wanted, before, again);
    must(
      again.failed === 0 || someExclude(wanted),
      () => `a sync without faults fails: ${JSON.stringify(again.errors)}`,
    );
    if (again.conflicts.length === 0 && again.failed === 0) {
      const third = await syncOnce(world, [], random, wanted, manner);
      must(third?.sent === 0, () => `a sync that was done sends ${third?.sent} requests`);
    }
    if (isLong) world.clear();
  },
};

const MANY_KEYS: readonly string[] = MANY.map((line) => line.slice(0, line.lastIndexOf(" ")));

/** Flows of each owner are there, as other programs put them: those of the sync's own one mostly. */
function putOthers(world: World, random: Random, isLong: boolean, own: string): void {
  const keys = [...world.matches.map(keyText), ...(isLong ? MANY_KEYS : [])];
  const foreign = random.of([0, 0, 3, 15]);
  if (foreign === 0) world.clear();
  for (const owner of OWNERS) {
    const percent = owner === own ? 30 : foreign;
    const some = keys.filter(() => random.chance(percent));
    world.begin();
    world.dp.loadSync(
      some.map((key) => `${key} ${1 + random.below(3)}`),
      { owner },
    );
  }
}

const UFIDS = new Map<string, string>();

/** The UFID of a flow of an owner. */
function ufidBy(owner: string, key: string): string {
  const name = `${owner} ${key}`;
  let ufid = UFIDS.get(name);
  if (ufid === undefined) UFIDS.set(name, (ufid = Flow.parse(`${key} 1`, { owner }).ufid ?? ""));
  return ufid;
}

function wantedOf(key: string, port: number, { owner }: Manner): Wanted {
  const text = `${key} ${port}`;
  return { text, ...meaningOf(text), ufid: ufidBy(owner, key) };
}

async function syncOnce(
  world: World,
  faults: readonly Fault[],
  random: Random,
  wanted: readonly Wanted[],
  manner: Manner,
): Promise<SyncResult | undefined> {
  world.begin();
  let result: SyncResult | undefined;
  const failed = await world.with(faults, random, async () => {
    result = await world.dp.sync(
      wanted.map(({ text }) => text),
      { ...OPTIONS, ...manner },
    );
  });
  must(failed === undefined || !areHarmlessToDumps(faults), () => `a sync fails: ${failed?.stack}`);
  return result;
}

/** Whether a kernel never holds two of the wanted flows together. */
function someExclude(wanted: readonly Wanted[]): boolean {
  const flows = wanted.map(({ text }) => Flow.parse(text).parts);
  return flows.some((flow, i) => flows.slice(i + 1).some((other) => excludeEachOther(flow, other)));
}

/** Matches of the flows whose UFID is their hash for the owner, or of all that may be touched. */
function ownedBy(
  world: World,
  keys: readonly string[],
  { owner, all }: Manner,
): ReadonlySet<string> {
  const hashes = new Map(keys.map((key) => [meaningOf(`${key} 1`).match, ufidBy(owner, key)]));
  const states = world.state === undefined ? [] : [...statesOf(world.state.table)];
  return new Set(
    states.flatMap(([match, { ufid }]) => (all || hashes.get(match) === ufid ? [match] : [])),
  );
}

// Where a flow could not be put or changed, those that are to go stay: they may be all that carries packets.
function checkOrder(
  { requests }: History,
  wanted: readonly Wanted[],
  { rollback }: Manner,
  { errors }: SyncResult,
): void {
  const matches = new Set(wanted.map(({ match }) => match));
  const isOfWanted = errors.some(
    ({ text, state }) => state === "rejected" && matches.has(matchOfText(text)),
  );
  if (rollback || !isOfWanted) return;
  const last = requests.findLastIndex(({ command }) => command !== OVS_FLOW_CMD_DEL);
  // Where none was so much as sent, the deletes are those of flows in the way: these come first.
  if (last < 0) return;
  const deleted = requests.slice(last + 1).length;
  must(deleted === 0, () => `${deleted} flows are deleted, though others could not be put`);
}

// Every change of a flow is looked at as it happens: one that is absent for a moment was removed.
function checkTouched(
  { start, events }: History,
  wanted: readonly Wanted[],
  owned: ReadonlySet<string>,
  { allowGap, rollback, result }: Manner & { readonly result: SyncResult | undefined },
): void {
  const byMatch = new Map(wanted.map((one) => [one.match, one]));
  const put = new Set<string>();
  // What a sync may have found, and takes back to.
  const found = new Map([...start].map(([match, { actions }]) => [match, new Set([actions])]));
  for (const [i, { match, change, after, byOther }] of events.entries()) {
    if (byOther) {
      if (after !== undefined) found.get(match)?.add(after.actions);
      continue;
    }
    const own = byMatch.get(match);
    if (change === "removed") {
      // A rollback takes a wide flow out while it puts back a narrow one, which it would keep out; one that it could not
      // put back itself is told.
      const isTold = (result?.rolledBack?.failed ?? 0) > 0;
      const isTakenBack =
        isTold || put.has(match) || events.slice(i).some((e) => isPutBack(e, match, start));
      must(
        own === undefined || allowGap || (rollback && isTakenBack),
        () => `a sync deletes ${match}, which is wanted`,
      );
    } else {
      const isMeant = after !== undefined && after.actions === own?.actions;
      const isFound = rollback && after !== undefined && found.get(match)?.has(after.actions);
      must(
        isMeant || isFound === true,
        () => `${change} by a sync of ${match}, which nobody wants so`,
      );
    }
    if (change === "put") put.add(match);
    else {
      must(
        owned.has(match) || put.has(match),
        () => `a sync touches ${match}, which is not the owner's: ${change}`,
      );
    }
  }
}

function isPutBack(event: FlowEvent, match: string, start: History["start"]): boolean {
  const { change, after, byOther } = event;
  const isPut = change === "put" && event.match === match && !byOther;
  return isPut && after?.actions === start.get(match)?.actions;
}

// What a sync that failed took back is as it was, names included.
function checkRolledBack(
  { history, state }: World,
  { rollback }: Manner,
  { rolledBack, failed, unknown, ended, checkFailure, conflicts }: SyncResult,
): void {
  const isDone = failed + unknown === 0 && ended === "complete";
  must(
    !rollback || isDone || rolledBack !== null || checkFailure !== "" || conflicts.length > 0,
    () => "a sync fails, and takes nothing back",
  );
  if (rolledBack === null || rolledBack.failed > 0 || state === undefined) return;
  const now = statesOf(state.table);
  const others = new Set(history.events.filter(({ byOther }) => byOther).map(({ match }) => match));
  for (const match of new Set([...now.keys(), ...history.start.keys()])) {
    const [was, is] = [history.start.get(match), now.get(match)];
    must(
      others.has(match) || Bun.deepEquals(was, is),
      () => `${match} was ${JSON.stringify(was)}, and is ${JSON.stringify(is)} behind a rollback`,
    );
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
  const told = result.errors.length;
  must(told === Math.min(100, result.failed + result.unknown), tell(`${told} flows are told`));
  for (const { text, state } of result.errors) {
    must(state === "rejected", tell(`"${text}" is ${state}, with no reply lost`));
  }
  if (result.rolledBack !== null) return;
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
