import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileSource } from "../../src/format/source.ts";
import { startLoad } from "../../src/load/start-load.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { portNames } from "../../src/ovs/vport.ts";
import { Journal, readJournal, subjectOf } from "../../src/state/journal.ts";
import { recover, Resumption } from "../../src/state/resume.ts";
import { ENOENT } from "../../src/sys/errno.ts";
import type { Random } from "../../src/testing/random.ts";
import { keyText, textOf } from "../load/truth.ts";
import { checkAccount, type Said } from "./account.ts";
import { areHarmless, type Fault } from "./faults.ts";
import { type FlowState, type History, statesOf } from "./history.ts";
import { type Line, meaningOf } from "./lines.ts";
import { kept, type Operation } from "./operation.ts";
import { Crash, must } from "./violation.ts";
import type { World } from "./world.ts";

// A load from a file that is cut, and goes on.

const FLOWS = 12;
const LINES_MOST = 40;
/** Small, so that a cut lies between two batches. */
const BATCHING = { messagesPerDatagram: 2, datagramsPerCall: 2, replyCostBytes: 1024 };

/** How a file is loaded. */
type Manner = { readonly path: string; readonly ufid: boolean };

/** A load with a journal is cut at any batch, other programs act, and it goes on: then the set is as if it was not. */
export const RESUME: Operation = {
  name: "resume",
  weight: 8,
  run: async (world, step, random) => {
    const lines = kept(hostLines(random), step);
    if (lines.length === 0) return;
    world.clear();
    const folder = mkdtempSync(join(tmpdir(), "simulate-"));
    try {
      const manner: Manner = { path: join(folder, "flows.txt"), ufid: random.chance(70) };
      writeFileSync(manner.path, lines.map(({ text }) => text).join("\n"));
      await cutAndGoOn(world, step.faults, random, manner, lines);
    } finally {
      rmSync(folder, { recursive: true });
    }
    world.clear();
  },
};

/** Lines about flows that are in no other one's way. */
function hostLines(random: Random): Line[] {
  return Array.from({ length: 1 + random.below(LINES_MOST) }, () => {
    const match = { src: 0x0d00_0001 + random.below(FLOWS), srcBits: 32, dst: 0, dstBits: 0 };
    const verb = random.of(["put", "put", "put", "add", "modify", "delete"] as const);
    const line = { verb, match, given: undefined, actions: String(1 + random.below(3)) };
    return { ...line, text: textOf(line), meaning: meaningOf(`${keyText(match)} ${line.actions}`) };
  });
}

async function cutAndGoOn(
  world: World,
  faults: readonly Fault[],
  random: Random,
  manner: Manner,
  lines: readonly Line[],
): Promise<void> {
  const there = lines.filter(({ verb }) => verb === "put" && random.chance(20));
  world.dp.loadSync(
    there.map(({ text }) => text),
    { ufid: manner.ufid },
  );
  const history = world.begin();
  const cuts = random.below(4);
  for (let i = 0; i < cuts; i++) {
    await loadIt(world, faults, random, manner, { lines, cutAfter: random.below(lines.length) });
    checkAccount(world, lines, undefined, { runs: i + 1 });
    world.restart();
    for (let acts = random.below(4); acts > 0; acts--) world.actAsOther(random);
  }
  const before = new Set(history.events.filter(({ byOther }) => byOther).map(({ match }) => match));
  const said = await loadIt(world, [], random, manner, { lines, cutAfter: lines.length });
  must(said !== undefined, () => "a load that goes on without faults fails");
  checkAccount(world, lines, said, { runs: cuts + 1, tolerates: true });
  checkEnd(world, history, before, lines, said ?? [], areHarmless(faults));
}

// Loads as `load --resume` does. Returns what is said of each line, undefined where the program ended before.
async function loadIt(
  world: World,
  faults: readonly Fault[],
  random: Random,
  { path, ufid }: Manner,
  { lines, cutAfter }: { readonly lines: readonly Line[]; readonly cutAfter: number },
): Promise<Said[] | undefined> {
  const told = { mode: "put", owner: "", order: "file", ufid } as const;
  const said: Said[] = lines.map(() => ({ state: "applied", errno: 0 }));
  let isWhole = false;
  await world.with(faults, random, async () => {
    using channel = new OvsChannel(undefined, world.kernel);
    const datapath = openDatapath(channel, world.dp.name);
    const subject = subjectOf(path, { datapath: datapath.name, ...told });
    const file = `${path}.journal`;
    const earlier = readJournal(file, subject);
    using journal = new Journal(file, subject, earlier);
    const { settled = 0 } = earlier ?? {};
    const input = { source: fileSource(path), format: "auto", told } as const;
    const { held } = await recover(datapath, settled, { ...input, ports: portNames(datapath) });
    const resumption = new Resumption({ earlier, held, journal });
    const begin = resumption.begin.bind(resumption);
    let batches = 0;
    resumption.begin = (batch) => {
      if (batches++ >= cutAfter) throw new Crash("the process is killed");
      return begin(batch);
    };
    const report = await startLoad(
      { datapath },
      { source: fileSource(path), format: "auto" },
      {
        ...told,
        workers: 0,
        batching: BATCHING,
        journal: resumption,
        onException: ({ line, state, errno }) => {
          said[line - 1] = { state, errno };
        },
      },
    );
    must(report.resumed <= settled, () => `${report.resumed} of ${settled} flows are passed over`);
    isWhole = report.ended === "complete" && report.lines === lines.length;
  });
  return isWhole ? said : undefined;
}

/** The flows are as the lines want them in their order, but for what only other programs know. */
function checkEnd(
  { state }: World,
  { start }: History,
  touched: ReadonlySet<string>,
  lines: readonly Line[],
  said: readonly Said[],
  isCalm: boolean,
): void {
  const now: ReadonlyMap<string, FlowState> =
    state === undefined ? new Map() : statesOf(state.table);
  for (const match of new Set(lines.map(({ meaning }) => meaning.match))) {
    const own = lines.filter(({ meaning }) => meaning.match === match);
    const first = touched.has(match) ? "unknown" : start.get(match)?.actions;
    const wanted = wantedOf(own, first, isCalm);
    const is = now.get(match)?.actions;
    must(
      wanted === "unknown" || wanted === is,
      () => `${own.map(({ text }) => text).join("; ")}: wanted is ${wanted}, there is ${is}`,
    );
  }
  for (const [i, { verb, text }] of lines.entries()) {
    const { state: one = "unknown", errno = 0 } = said[i] ?? {};
    if (verb !== "put" && verb !== "delete") continue;
    const isGone = verb === "delete" && errno === ENOENT;
    must(
      one === "applied" || isGone,
      () => `"${text}" is ${one} ${errno}, with nothing in its way`,
    );
  }
}

// The actions that lines about one flow come to; "unknown" where they do not decide it: a change that found no flow finds
// one when it is sent again, and an add that failed before another one does not when it is.
function wantedOf(
  lines: readonly Line[],
  start: string | undefined,
  isCalm: boolean,
): string | undefined {
  let wanted = start;
  let isAdded = false;
  const isTouched = start === "unknown";
  for (const { verb, meaning } of lines) {
    if (verb === "put") wanted = meaning.actions;
    else if (verb === "delete") wanted = undefined;
    else if (verb === "add") {
      const isOpen = isTouched || wanted === "unknown" || (isAdded && !isCalm);
      wanted = isOpen ? "unknown" : (wanted ?? meaning.actions);
    } else wanted = wanted === undefined || wanted === "unknown" ? "unknown" : meaning.actions;
    isAdded = verb === "add" || (isAdded && verb === "modify");
  }
  return wanted;
}
