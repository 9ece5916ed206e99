/**
 * From misses to flows: packets that find no flow are queued first; the time is measured from the
 * first read to the last installed flow, with one transaction per miss and with batches. Runs
 * inside the lab, as root; prints a table, or one document with --json.
 *
 *   bun bench/lab/misses.ts [--misses N] [--rounds N] [--json]
 */
import { parseArgs } from "node:util";
import { printJson, printTable } from "../../src/cli/output.ts";
import { Datapath, type FlowInstaller, type Upcall, type Upcalls } from "../../src/index.ts";
import { median } from "../statistics.ts";

const DATAPATH = "misses0";
const PORT = "misses1";
const HERE = "10.91.0.1";
const THERE = "10.91.0.2";
const FIRST_UDP_PORT = 1024;

/** Rounds before measuring, in which memory is touched and code is compiled. */
const WARM_UP_ROUNDS = 3;

/** A waiting packet costs its truesize, under 2 KiB. */
const BUFFER_BYTES_A_MISS = 2048;

const { values } = parseArgs({
  options: {
    misses: { type: "string", default: "12000" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const misses = Number(values.misses);

using dp = Datapath.create(DATAPATH);
try {
  using one = dp.batch(1);
  using many = dp.batch();
  dp.addPort(PORT, { type: "internal" });
  run("ip", "address", "add", `${HERE}/24`, "dev", PORT);
  run("ip", "link", "set", PORT, "up");
  run("ip", "neighbour", "add", THERE, "lladdr", "02:00:00:00:00:99", "dev", PORT);
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    await measure(answerSingly, one);
    await measure(answerInBatches, many);
  }
  const single: number[] = [];
  const batched: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    single.push(await measure(answerSingly, one));
    batched.push(await measure(answerInBatches, many));
  }
  report(median(single), median(batched));
} finally {
  dp.delete();
}

/** Microseconds per miss. */
async function measure(
  answer: (upcalls: Upcalls, flows: FlowInstaller) => void,
  batch: FlowInstaller,
): Promise<number> {
  using upcalls = dp.upcalls({ receiveBufferBytes: misses * BUFFER_BYTES_A_MISS });
  await fill();
  const startedAt = performance.now();
  answer(upcalls, batch);
  const micros = ((performance.now() - startedAt) * 1000) / misses;
  const { flows } = dp.info().stats;
  if (flows !== misses) throw new Error(`${flows} flows of ${misses}; ${upcalls.lost} lost`);
  dp.flush();
  return micros;
}

/** Sends a packet for each flow, each to a different port. */
async function fill(): Promise<void> {
  const socket = await Bun.udpSocket({ hostname: HERE });
  const { missed } = dp.info().stats;
  try {
    for (let sent = 0; sent < misses;) {
      const packets: (string | number)[] = [];
      for (let i = sent; i < Math.min(misses, sent + 256); i++) {
        packets.push("x", FIRST_UDP_PORT + i, THERE);
      }
      sent += socket.sendMany(packets);
      if (sent < misses) await Bun.sleep(0);
    }
    while (dp.info().stats.missed - missed < misses) await Bun.sleep(1);
  } finally {
    socket.close();
  }
}

// Answers without batches: reads one, installs one, waits for its ack.
function answerSingly(upcalls: Upcalls, flows: FlowInstaller): void {
  const visitor = { onUpcall: (upcall: Upcall) => flows.answer(upcall, "drop"), onLost };
  for (let left = misses; left > 0;) {
    left -= upcalls.visit(visitor, 1);
    flows.flush();
  }
}

function answerInBatches(upcalls: Upcalls, flows: FlowInstaller): void {
  const visitor = { onUpcall: (upcall: Upcall) => flows.answer(upcall, "drop"), onLost };
  for (let left = misses; left > 0;) {
    left -= upcalls.visit(visitor);
    flows.flush();
  }
}

function onLost(count: number): void {
  throw new Error(`${count} packets lost`);
}

function report(single: number, batched: number): void {
  const ratio = single / batched;
  if (values.json) {
    printJson({
      misses,
      singleMicroseconds: single,
      batchedMicroseconds: batched,
      singlePerSecond: 1e6 / single,
      batchedPerSecond: 1e6 / batched,
      ratio,
    });
    return;
  }
  printTable([
    ["MISSES TO FLOWS", "µs A MISS", "MISSES A SECOND"],
    ["one transaction a miss", single.toFixed(1), (1e6 / single).toFixed(0)],
    ["in batches", batched.toFixed(1), (1e6 / batched).toFixed(0)],
    ["times as many", ratio.toFixed(1), ""],
  ]);
}

function run(...command: readonly string[]): void {
  const child = Bun.spawnSync([...command], { stdout: "ignore", stderr: "pipe" });
  if (child.exitCode !== 0) {
    throw new Error(`${command.join(" ")}: ${child.stderr.toString()}`);
  }
}
