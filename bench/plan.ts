import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sampleLine, writeSample } from "../src/format/sample.ts";
import type { LabPart, Plan, Variant } from "./model.ts";
import type { Peers } from "./peers.ts";
import type { Size } from "./size.ts";
import { churn } from "./variants/churn.ts";
import { dump } from "./variants/dump.ts";
import type { Files } from "./variants/files.ts";
import { growth } from "./variants/growth.ts";
import { latency } from "./variants/latency.ts";
import { masks } from "./variants/masks.ts";
import { peersPart } from "./variants/peers.ts";
import { BEST, DATAPATH, MILLRACE, ours } from "./variants/programs.ts";
import { sweep } from "./variants/sweep.ts";
import { sync } from "./variants/sync.ts";
import { verbs } from "./variants/verbs.ts";
import { maskedLine, orderedLine, otherActions, writePacked } from "./work.ts";

/** The variants of each part. */
const PART_VARIANTS: Readonly<
  Record<LabPart, (size: Size, files: Files, peers: Peers) => Variant[]>
> = { sweep, peers: peersPart, growth, masks, verbs, dump, latency, churn, sync };

/** Makes the files that the wanted parts read, in `folder`, and returns the plan. */
export function makePlan(
  folder: string,
  parts: readonly LabPart[],
  size: Size,
  peers: Peers,
): Plan {
  const files = filesIn(folder, size.seed);
  const variants = parts.flatMap((part) => PART_VARIANTS[part](size, files, peers));
  const most = Math.max(...variants.map(({ flows }) => flows));
  // As many flows as the largest variant installs, so that the kernel has allocated all its memory
  // once.
  const warmUp = { part: "sweep", file: files.packed(most), flows: most, packing: BEST } as const;
  return {
    datapath: DATAPATH,
    data: folder,
    rounds: size.rounds,
    warmUp: ours("warm-up", "warm-up", warmUp),
    flowsFile: files.packed(size.flows),
    variants,
  };
}

function compile(text: string, path: string): void {
  const { exitCode, stderr } = Bun.spawnSync([MILLRACE, "compile", text, "-o", path], {
    stdout: "ignore",
    stderr: "pipe",
  });
  if (exitCode !== 0) throw new Error(`millrace compile: ${stderr.toString()}`);
}

/** Files of the sample from flow `seed` on, each made once, on demand. */
function filesIn(folder: string, seed: number): Files {
  const made = new Map<string, string>();
  const once = (name: string, make: (path: string) => void): string => {
    const path = made.get(name) ?? join(folder, name);
    if (!made.has(name)) make(path);
    made.set(name, path);
    return path;
  };
  const files: Files = {
    packed: (flows) =>
      once(`${flows}.packed`, (path) => writePacked(path, { flows, first: seed, ufid: true })),
    compiled: (lines) => once(`${lines}.mrs`, (path) => compile(files.text(lines), path)),
    keys: (lines) =>
      once(`${lines}.keys`, (path) => {
        writeFileSync(path, readFileSync(files.text(lines), "utf8").replaceAll(/ 2$/gm, ""));
      }),
    text: (lines) => once(`${lines}.txt`, (path) => writeSample(path, lines, seed)),
    masked: (flows, count) =>
      once(`${flows}-${count}.packed`, (path) => {
        const line = (index: number): string => maskedLine(index, count);
        writePacked(path, { flows, first: seed, ufid: true, line });
      }),
    ordered: (flows, count, order) =>
      once(`${order}-${flows}-${count}.packed`, (path) => {
        const line = (index: number): string => orderedLine(index, { flows, masks: count, order });
        writePacked(path, { flows: flows + count, first: 0, ufid: true, line });
      }),
    orderedSet: (flows, count) =>
      once(`${flows}-${count}.mrs`, (path) => {
        const order = { flows, masks: count, order: "last" } as const;
        const lines = Array.from({ length: flows + count }, (_, index) =>
          orderedLine(index, order),
        );
        writeFileSync(`${path}.txt`, `${lines.join("\n")}\n`);
        compile(`${path}.txt`, path);
      }),
    sync: (flows) => {
      const into = once(`sync-${flows}`, (path) => mkdirSync(path));
      const lines = Array.from({ length: flows }, (_, i) => sampleLine(seed + i));
      const isChanged = (_: string, i: number): boolean => i % 100 === 0;
      const next = lines.map((line, i) => (isChanged(line, i) ? otherActions(seed + i) : line));
      for (const [name, some] of Object.entries({
        old: lines,
        new: next,
        changed: next.filter(isChanged),
        "changed-back": lines.filter(isChanged),
      })) {
        writeFileSync(join(into, `${name}.txt`), `${some.join("\n")}\n`);
      }
      return into;
    },
    verbs: (flows) => {
      for (const verb of ["add", "modify", "delete"] as const) {
        const line = verb === "modify" ? otherActions : sampleLine;
        once(`${verb}.packed`, (path) =>
          writePacked(path, { flows, first: seed, ufid: true, verb, line }),
        );
      }
      once("put.txt", (path) => writeSample(path, flows, seed));
      return folder;
    },
  };
  return files;
}
