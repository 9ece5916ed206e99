import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sampleLine, writeSample } from "../src/format/sample.ts";
import type { LabPart, Plan } from "./model.ts";
import type { Peers } from "./peers.ts";
import type { Size } from "./size.ts";
import { BEST, DATAPATH, type Files, MILLRACE, ours, PART_VARIANTS } from "./variants.ts";
import { maskedLine, otherActions, writePacked } from "./work.ts";

/** Makes the files in `folder` that the wanted parts read, and says what is to be run. */
export function makePlan(
  folder: string,
  parts: readonly LabPart[],
  size: Size,
  peers: Peers,
): Plan {
  const { seed } = size;
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
    compiled: (lines) =>
      once(`${lines}.mrs`, (path) => {
        const command = [MILLRACE, "compile", files.text(lines), "-o", path];
        const { exitCode, stderr } = Bun.spawnSync(command, { stderr: "pipe" });
        if (exitCode !== 0) throw new Error(`millrace compile: ${stderr.toString()}`);
      }),
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
  const variants = parts.flatMap((part) => PART_VARIANTS[part](size, files, peers));
  const most = Math.max(...variants.map(({ flows }) => flows));
  return {
    datapath: DATAPATH,
    data: folder,
    rounds: size.rounds,
    // As many flows as any variant installs: the kernel has had all its memory once.
    warmUp: ours("sweep", "warm-up", files.packed(most), most, BEST),
    flowsFile: files.packed(size.flows),
    variants,
  };
}
