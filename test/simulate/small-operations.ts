import { FlowRejectedError } from "../../src/flow/rules/errors.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { ENOENT } from "../../src/sys/errno.ts";
import { FRAMES, LLC_FRAMES } from "../kernel/frames.ts";
import { hashOf, keyText } from "../load/truth.ts";
import { checkAccount, type Said } from "./account.ts";
import { areHarmless, areHarmlessToDumps, type Fault } from "./faults.ts";
import { type History, statesOf } from "./history.ts";
import { type Line, meaningOf, randomLines } from "./lines.ts";
import { kept, type Operation } from "./operation.ts";
import type { Random } from "../../src/testing/random.ts";
import { Crash, must } from "./violation.ts";
import type { World } from "./world.ts";

// What a program does with few flows at a time: batches, single calls, dumps, answers to packets, flushes.

/** A batch that is added to and flushed, perhaps several times. */
export const BATCH: Operation = {
  name: "batch",
  weight: 12,
  run: async (world, step, random) => {
    const lines = kept(randomLines(random, world.matches, 30), step);
    const capacity = random.of([2, 5, 64]);
    const model = world.model();
    world.begin();
    const said: Said[] = lines.map(() => ({ state: "applied", errno: 0 }));
    let flushed = false;
    const failed = await world.with(step.faults, random, () => {
      using batch = world.dp.batch(capacity);
      for (const { text } of lines) batch.add(text);
      const { applied, exceptions } = batch.flush();
      for (const { line, state, errno } of exceptions) said[line - 1] = { state, errno };
      must(
        applied + exceptions.length === lines.length,
        () => `${lines.length} flows, ${applied} and ${exceptions.length} told`,
      );
      flushed = true;
    });
    checkAccount(world, lines, flushed ? said : undefined);
    if (areHarmless(step.faults)) {
      must(failed === undefined, () => `a batch fails: ${failed?.message}`);
      for (const [i, line] of lines.entries()) {
        const isDone = model.apply(line, true);
        must(
          (said[i]?.state === "applied") === isDone,
          () => `"${line.text}" is ${said[i]?.state}, in the model ${isDone}`,
        );
      }
    }
    if (!flushed || world.state === undefined) world.restart();
  },
};

/** Calls for one flow each. */
export const ONE: Operation = {
  name: "one",
  weight: 12,
  run: async (world, step, random) => {
    for (const line of kept(randomLines(random, world.matches, 8), step)) {
      const model = world.model();
      const isDone = model.apply(line, true);
      world.begin();
      const said: Said[] = [];
      const failed = await world.with(step.faults, random, () => {
        said.push(callFor(world, line, step.faults));
      });
      checkAccount(
        world,
        [line],
        failed === undefined && said[0]?.state !== "unknown" ? said : undefined,
      );
      if (step.faults.length === 0) {
        must(
          (said[0]?.state === "applied") === isDone,
          () => `"${line.text}" is ${said[0]?.state} ${failed?.message}, in the model ${isDone}`,
        );
        checkRead(world, line);
      }
      if (failed !== undefined || world.state === undefined) world.restart();
    }
  },
};

// A call whose reply is lost returns if the flow is as it should be, whoever made it so.
function callFor({ dp }: World, line: Line, faults: readonly Fault[]): Said {
  const isKnown = areHarmless(faults);
  const text = line.text.replace(/^(add|modify|delete) /, "");
  try {
    if (line.verb === "delete") {
      return dp.remove(text)
        ? { state: isKnown ? "applied" : "absent", errno: 0 }
        : { state: "rejected", errno: ENOENT };
    }
    dp[line.verb](text);
    return { state: isKnown ? "applied" : "present", errno: 0 };
  } catch (error) {
    if (error instanceof Crash) throw error;
    // Of what is not said to be rejected nobody knows.
    if (error instanceof FlowRejectedError && !/reply was lost/.test(error.message))
      return { state: "rejected", errno: error.errno };
    if (error instanceof MillraceError) return { state: "unknown", errno: 0 };
    throw error;
  }
}

/** What is read of a flow is what is there. */
function checkRead(world: World, { match, given }: Line): void {
  const text = keyText(match);
  const read = world.dp.get(text);
  const held = world.state && statesOf(world.state.table).get(meaningOf(`${text} 1`).match);
  if (given !== undefined && given !== hashOf(match)) {
    const named = world.dp.get(`ufid:${given} ${text}`);
    must(
      named === undefined || held?.ufid === given,
      () => `${text} is read by the UFID ${given}, and has ${held?.ufid}`,
    );
  }
  if (read === undefined) return;
  must(held !== undefined, () => `${text} is read, and not there`);
}

/** A dump: where nothing changed meanwhile it is what is there; where something did, it says that it may lack some. */
export const DUMP: Operation = {
  name: "dump",
  weight: 8,
  run: async (world, step, random) => {
    // More than a piece of a dump holds.
    const isLong = random.chance(50);
    if (isLong) world.dp.loadSync(MANY);
    const history = world.begin();
    const found: string[] = [];
    let doubted = false;
    const failed = await world.with(step.faults, random, () => {
      const options = {
        onDoubt: () => {
          doubted = true;
        },
      };
      for (const flow of world.dp.flows(options)) found.push(matchOfText(flow.toString()));
    });
    must(
      failed === undefined || !areHarmlessToDumps(step.faults),
      () => `a dump fails: ${failed?.stack}`,
    );
    must(
      failed !== undefined || world.interruptedPieces === 0,
      () => "a dump that was interrupted is taken for whole",
    );
    must(
      !doubted || !areHarmlessToDumps(step.faults),
      () => "a dump is doubted that nothing disturbs",
    );
    // What was dumped before it failed is there, too.
    checkDumped(world, history, found, doubted || failed !== undefined);
    if (failed !== undefined || world.state === undefined) world.restart();
    leave(world);
    if (random.chance(10)) forget(world);
    if (random.chance(10)) loseWhileOpen(world, random);
    if (isLong) world.clear();
  },
};

function checkDumped(
  world: World,
  history: History,
  found: readonly string[],
  mayLack: boolean,
): void {
  const all = new Set(found);
  const touched = new Set(history.events.map(({ match }) => match));
  for (const match of all) {
    must(touched.has(match) || history.start.has(match), () => `${match} is dumped, and not there`);
  }
  if (mayLack) return;
  must(all.size === found.length, () => "a flow is dumped twice, and nothing is said of it");
  const least = Math.min(history.start.size, world.state?.table.flows.length ?? 0);
  must(all.size >= least, () => `${least} flows are there, ${all.size} dumped`);
  // Where one goes meanwhile, another one can take its place in the walk, and nobody sees it.
  if (history.events.some(({ change }) => change === "removed")) return;
  for (const match of history.start.keys()) {
    must(touched.has(match) || all.has(match), () => `${match} is there, and not dumped`);
  }
}

/** More flows than a piece of a dump holds. */
export const MANY: readonly string[] = Array.from(
  { length: 130 },
  (_, i) => `in_port(1),eth(),eth_type(0x0800),ipv4(src=11.9.0.${i},frag=no) 1`,
);

/** Dumps that are left after a flow leave nothing behind. */
function leave({ dp, kernel, state }: World): void {
  const before = kernel.portIds().size;
  // One datagram a read: the rest of a long dump stays in the kernel.
  kernel.faults = { call: (call) => (call === "recvmmsg" ? { atMost: 1 } : undefined) };
  for (let i = 0; i < 4; i++) for (const _ of dp.flows()) break;
  kernel.faults = {};
  const left = kernel.portIds().size - before;
  must(left <= 1, () => `${left} sockets are left by dumps that were left`);
  const flows = [...dp.flows()].length;
  must(
    flows === state?.table.flows.length,
    () => `${flows} flows are dumped behind one that was left`,
  );
}

/** An iterator that nobody ends keeps its socket until the datapath is closed. */
function forget(world: World): void {
  world.dp.flows().next();
  world.restart();
}

const NAMED = { identity: { ufid: new Uint8Array(16).fill(7) } };

/** What is asked of a datapath that is gone fails, also where the module went and came. */
function loseWhileOpen(world: World, random: Random): void {
  const { dp, kernel } = world;
  const asks = [
    () => dp.ports(),
    () => [...dp.flows()],
    () => dp.info(),
    // For a name that is not text no ports are read.
    () => dp.get(NAMED),
    () => dp.remove(NAMED),
    () => dp.clear(NAMED),
  ];
  if (random.chance(50)) kernel.reloadModule();
  else world.loseDatapath();
  random.shuffle(asks);
  for (const ask of asks) {
    let error: unknown;
    try {
      ask();
    } catch (thrown) {
      error = thrown;
    }
    const code = error instanceof MillraceError ? error.code : String(error);
    must(
      code === "ENODEV" || code === "NO_DATAPATH",
      () => `of a datapath that is gone ${String(ask)} says ${code}`,
    );
  }
  world.restart();
}

/** What a flow matches that was dumped or told. */
export function matchOfText(text: string): string {
  return meaningOf(text.replace(/^(?:add|modify|delete) /, "").replace(/^ufid:[\w-]+[, ]*/, ""))
    .match;
}

/** Packets come, and their misses are answered: then they have a flow, and no other packets have it. */
export const UPCALLS: Operation = {
  name: "upcalls",
  weight: 5,
  run: async (world, step, random) => {
    world.clear();
    world.begin();
    const isCalm = step.faults.length === 0;
    const answered = new Set<number>();
    const failed = await world.with(step.faults, random, () => {
      using upcalls = world.dp.upcalls();
      using batch = world.dp.batch();
      for (let i = 0; i < 10; i++) {
        const which = random.below(PACKETS.length);
        const { name, packet } = PACKETS[which] ?? { name: "", packet: new Uint8Array(0) };
        world.kernel.receive("sim1", packet);
        const events = upcalls.read();
        const isExpected = events.length === (answered.has(which) ? 0 : 1);
        must(
          !isCalm || isExpected,
          () => `${events.length} upcalls of "${name}", after ${answered.size} answers`,
        );
        for (const event of events) if (event.kind !== "lost") batch.answer(event, "2");
        const { exceptions } = batch.flush();
        for (const event of events) {
          if (event.kind === "lost") continue;
          const key = event.keyBytes.slice();
          must(!isCalm || world.hasFlowFor(key), () => `"${name}" is answered, and has no flow`);
        }
        must(
          !isCalm || exceptions.length === 0,
          () => `an answer is ${exceptions[0]?.state}: ${exceptions[0]?.reason}`,
        );
        answered.add(which);
      }
    });
    must(
      failed === undefined || !areHarmless(step.faults),
      () => `an upcall loop fails: ${failed?.stack}`,
    );
    if (world.state === undefined || failed !== undefined) world.restart();
    world.clear();
  },
};

/** What the kernel in memory reads as the real one does. */
const PACKETS = [...FRAMES, ...LLC_FRAMES.slice(0, 1)].filter(
  ({ name }, i, all) =>
    !/MPLS|NSH|SNAP|three tags|cut off|long opcode|options/.test(name) &&
    all.findIndex((one) => one.name === name) === i,
);

/** Ports get other numbers while flows wait that name them, and an answer whose actions do. */
export const RENUMBER: Operation = {
  name: "renumber",
  weight: 2,
  run: (world, _step, random) => {
    world.clear();
    world.begin();
    const { dp } = world;
    const [first, second] = [3 + random.below(100), 103 + random.below(100)];
    {
      using upcalls = dp.upcalls();
      using batch = dp.batch();
      batch.add("in_port(sim1),eth() sim2");
      world.kernel.receive(
        "sim1",
        PACKETS[random.below(PACKETS.length)]?.packet ?? new Uint8Array(),
      );
      for (const event of upcalls.read()) if (event.kind !== "lost") batch.answer(event, "sim2");
      renumber(world, first, second);
      batch.flush();
    }
    const texts = Array.from(dp.flows(), String);
    const isNamed = texts.some((text) => text.includes(`in_port(${first})`));
    const isMoved = texts.length === 2 && texts.every((text) => text.endsWith(`actions:${second}`));
    must(
      isNamed && isMoved,
      () => `sim1 is port ${first}, sim2 is ${second}, and the flows are ${texts.join("; ")}`,
    );
    renumber(world, 1, 2);
    world.clear();
  },
};

/** The ports go, and come again with these numbers. */
function renumber({ dp }: World, first: number, second: number): void {
  for (const name of ["sim1", "sim2"]) dp.deletePort(name);
  dp.addPort("sim1", { type: "internal", number: first });
  dp.addPort("sim2", { type: "internal", number: second });
}

/** All flows go. */
export const FLUSH: Operation = {
  name: "flush",
  weight: 3,
  run: (world) => {
    world.clear();
    must(world.state?.table.flows.length === 0, () => "a flush leaves flows");
  },
};
