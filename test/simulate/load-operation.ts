import { lineToFlowJson } from "../../src/flow/json.ts";
import type { TemplateFill } from "../../src/flow/template.ts";
import type { DatapathLoadOptions } from "../../src/datapath-load.ts";
import type { Batching } from "../../src/load/send/batching.ts";
import type { Random } from "../../src/testing/random.ts";
import { bytesOf, compiled, filled } from "../load/sources.ts";
import { keyText, type Match, meets } from "../load/truth.ts";
import { checkAccount, type Said } from "./account.ts";
import { type Line, randomLines, renamingLines } from "./lines.ts";
import { EAGAIN, ENOBUFS, ENODEV, ENOMEM } from "../../src/sys/errno.ts";
import { areHarmless, canReadBack } from "./faults.ts";
import { kept, type Operation, type Step } from "./operation.ts";
import { Crash, must } from "./violation.ts";
import type { World } from "./world.ts";

// Whole loads, from every source, with faults and without, and once more.

const WAYS = ["lines", "text", "json", "set", "template"] as const;
type Way = (typeof WAYS)[number];

const LINES_MOST = 40;

/** What the lines are about: all flows; few; or few that are not in one another's way, by each other's names. */
const POOLS = ["all", "all", "all", "all", "all", "narrow", "narrow", "names"] as const;
type Pool = (typeof POOLS)[number];

/** A send that fails with these is tried again. */
const NO_MEMORY: ReadonlySet<number> = new Set([EAGAIN, ENOBUFS, ENOMEM]);

/** How a step loads. */
type Manner = { readonly way: Way; readonly waits: boolean; readonly options: DatapathLoadOptions };

export const LOAD: Operation = {
  name: "load",
  weight: 60,
  run: async (world, step, random) => {
    const pool = random.of(POOLS);
    if (pool === "names" || (pool === "narrow" && random.chance(70))) world.clear();
    const matches = matchesOf(pool, world.matches);
    if (pool === "names") putSome(world, random, matches);
    const all =
      pool === "names"
        ? renamingLines(random, matches, LINES_MOST)
        : randomLines(random, matches, random.of([6, LINES_MOST]));
    const way = random.of(WAYS);
    const lines = kept(way === "template" ? alike(all) : all, step);
    const ufid = random.chance(pool === "names" ? 30 : 70);
    const tolerates = random.chance(15);
    const isPaced = random.chance(6);
    const manner: Manner = {
      way,
      // It rests by the clock of the simulation.
      waits: !isPaced && random.chance(30),
      options: {
        ufid,
        mode: way === "template" ? (lines[0]?.verb ?? "put") : "put",
        workers: 0,
        batching: randomBatching(random),
        ...(isPaced ? { maxRate: random.of([40, 1000]) } : {}),
        ...(tolerates
          ? {
              tolerate: random.of<("EEXIST" | "ENOENT")[]>([
                ["EEXIST"],
                ["ENOENT"],
                ["EEXIST", "ENOENT"],
              ]),
            }
          : {}),
      },
    };
    if (lines.length === 0) return;
    const model = world.model();
    world.begin();
    const said = await loadIt(world, step, random, manner, lines);
    checkAccount(world, lines, said, { tolerates });
    const isUndisturbed =
      step.faults.length === 0 || (areHarmless(step.faults) && said !== undefined);
    if (isUndisturbed && !tolerates) checkModel(world, lines, said, model, ufid);
    for (const [i, { state, errno }] of (said ?? []).entries()) {
      must(
        state !== "unknown" || !canReadBack(step.faults),
        () => `line ${i} is unknown, and could be read back`,
      );
      const isRefused = errno === ENOMEM && step.faults.includes("refused");
      must(isRefused || !NO_MEMORY.has(errno), () => `line ${i} was not sent: errno ${errno}`);
    }
    if (world.state === undefined || said === undefined) world.restart();
    if (step.faults.length > 0) await again(world, step, random, manner, lines);
  },
};

function matchesOf(pool: Pool, matches: readonly Match[]): readonly Match[] {
  if (pool !== "names") return pool === "narrow" ? matches.slice(0, 3) : matches;
  const apart: Match[] = [];
  for (const match of matches) {
    if (!apart.some((one) => meets(one, match) || meets(match, one))) apart.push(match);
  }
  return apart.slice(0, 4);
}

function putSome({ dp }: World, random: Random, matches: readonly Match[]): void {
  const some = matches.filter(() => random.chance(60));
  dp.loadSync(some.map((match) => `${keyText(match)} ${1 + random.below(3)}`));
}

/** Loads lines. @returns what was said of each; undefined where the program ended */
async function loadIt(
  world: World,
  step: Step,
  random: Random,
  { way, waits, options }: Manner,
  lines: readonly Line[],
): Promise<Said[] | undefined> {
  let said: Said[] | undefined;
  const source = sourceOf(way, lines);
  const failed = await world.with(step.faults, random, async () => {
    const { dp } = world;
    const told: (Said & { line: number })[] = [];
    const all = {
      ...options,
      onException: (exception: Said & { line: number }) => told.push(exception),
    };
    const isText = way === "text" && source instanceof Uint8Array;
    const result = waits
      ? await dp.load(isText ? uploaded(source) : source, all)
      : dp.loadSync(source, all);
    // What could not be read back for that is unknown, and says enough.
    const saysEnough = result.report.ended !== "complete" || result.report.unknown > 0;
    must(
      world.staleRequests === 0 || saysEnough,
      () => "a load is complete whose family has another number since",
    );
    must(
      saysEnough || !world.history.requests.some(({ errno }) => errno === ENODEV),
      () => "a load is complete whose datapath is gone",
    );
    said = lines.map((_, i) => ({ state: i < result.length ? "applied" : "refused", errno: 0 }));
    for (const { line, state, errno } of told) said[line - 1] = { state, errno };
    for (let i = 0; i < result.length; i++) {
      must(
        said[i]?.state === result.stateOf(i),
        () => `line ${i} is ${result.stateOf(i)}, and told to be ${said?.[i]?.state}`,
      );
    }
    const { applied, rejected, refused, unknown, reconciled } = result.report;
    const counted = applied + rejected + refused + unknown + reconciled.present + reconciled.absent;
    must(
      counted === result.length && (counted === lines.length || result.report.ended !== "complete"),
      () => `${lines.length} lines, ${counted} accounted for: ${JSON.stringify(result.report)}`,
    );
  });
  must(failed === undefined || !areHarmless(step.faults), () => `a load fails: ${failed?.stack}`);
  // Whatever goes wrong, a load that has sent something has an account.
  must(
    failed === undefined || failed instanceof Crash || world.history.requests.length === 0,
    () => `a load that sent something fails: ${failed?.stack}`,
  );
  return said;
}

// A load that was disturbed is done once more: what it says then is what the model says, and where it only puts flows
// that are not in one another's way, a third one changes nothing.
async function again(
  world: World,
  step: Step,
  random: Random,
  manner: Manner,
  lines: readonly Line[],
): Promise<void> {
  const { tolerate: _, ...options } = manner.options;
  const calm = { ...step, faults: [] };
  const model = world.model();
  world.begin();
  const said = await loadIt(world, calm, random, { ...manner, options }, lines);
  checkAccount(world, lines, said);
  checkModel(world, lines, said, model, manner.options.ufid !== false);
  const matches = new Set(lines.map(({ meaning }) => meaning.match));
  const isSettled = lines.every(({ verb }, i) => verb === "put" && said?.[i]?.state === "applied");
  if (!isSettled || matches.size < lines.length) return;
  const history = world.begin();
  await loadIt(world, calm, random, { ...manner, options }, lines);
  must(
    history.events.length === 0,
    () => `a load that was done changes ${history.events.length} flows`,
  );
}

/** Without faults a load does what the model says, line by line, and so are the flows then. */
function checkModel(
  world: World,
  lines: readonly Line[],
  said: readonly Said[] | undefined,
  model: ReturnType<World["model"]>,
  ufid: boolean,
): void {
  for (const [i, line] of lines.entries()) {
    const isDone = model.apply(line, ufid);
    const own = said?.[i];
    must(
      own?.state === (isDone ? "applied" : "rejected"),
      () =>
        `line ${i}, "${line.text}", is ${own?.state} ${own?.errno}, and in the model ${isDone ? "applied" : "rejected"}`,
    );
  }
  const [is, meant] = [world.model().lines(), model.lines()];
  must(
    Bun.deepEquals(is, meant),
    () => `flows are\n${is.join("\n")}\nand are to be\n${meant.join("\n")}`,
  );
}

function randomBatching(random: Random): Partial<Batching> {
  const transport = random.of(["sendmmsg", "sendmmsg", "send", "writev"] as const);
  return {
    transport,
    ack: random.chance(15) ? "each" : "errors",
    messagesPerDatagram: random.of([1, 2, 3, 16]),
    datagramsPerCall: random.of([1, 2, 4, 8]),
    replyCostBytes: random.of([1024, 1024, 1 << 20]),
  };
}

/** The lines that one template can have: of one verb and one mask, without UFIDs. */
function alike(lines: readonly Line[]): Line[] {
  const [first] = lines;
  return lines
    .filter(
      ({ verb, match }) =>
        verb === first?.verb &&
        match.srcBits === first.match.srcBits &&
        match.dstBits === first.match.dstBits,
    )
    .map((line) => ({ ...line, given: undefined }));
}

/** What a client sends under the name of another file, which is no flow's. */
function uploaded(bytes: Uint8Array): Blob {
  const own = new Uint8Array(bytes);
  return own.length % 2 === 0
    ? new File([own], import.meta.filename)
    : Object.assign(new Blob([own]), { name: import.meta.filename });
}

function sourceOf(way: Way, lines: readonly Line[]): readonly string[] | Uint8Array | TemplateFill {
  const text = lines.map((line) => line.text);
  if (way === "lines") return text;
  if (way === "text") return bytesOf(text);
  if (way === "set") return compiled(bytesOf(text));
  if (way === "template") return filled(lines);
  return bytesOf(text.map((line) => JSON.stringify(lineToFlowJson(line))));
}
