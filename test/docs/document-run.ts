/** Runs the blocks of a document one after the other, in a folder of their own, as a reader would who pastes them. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../../src/lab/trust.ts";
import { FETCH_TIMEOUT_MS } from "../lab/harness.ts";
import { limit } from "../runner/limit.ts";
import { ROOT } from "../source.ts";
import { type Block, blocksOf, isProgram } from "./blocks.ts";

/** How a document's blocks are run. */
type RunOptions = {
  /** A command that runs each. */
  readonly around?: readonly string[];
  /** What its programs find in their environment, beside this process' own. */
  readonly environment?: Readonly<Record<string, string>>;
};

/** A document that is being tried: its folder holds the files that it names, and the library. */
export class DocumentRun implements Disposable {
  readonly #folder: string = temporaryFolder("millrace-document-");
  readonly #blocks: readonly Block[];
  readonly #around: readonly string[];
  readonly #environment: Readonly<Record<string, string | undefined>>;

  constructor(document: string, { around = [], environment = {} }: RunOptions = {}) {
    this.#blocks = blocksOf(document);
    this.#around = around;
    const all = { ...process.env, ...environment };
    this.#environment = { ...all, PATH: `${join(ROOT, "src/cli")}:${all["PATH"] ?? ""}` };
    mkdirSync(join(this.#folder, "node_modules"));
    symlinkSync(ROOT, join(this.#folder, "node_modules/millrace"));
    for (const { file, text } of this.#blocks) {
      if (file === undefined) continue;
      mkdirSync(join(this.#folder, dirname(file)), { recursive: true });
      writeFileSync(join(this.#folder, file), text);
    }
  }

  /**
   * Runs a block to its end, and compares what it prints with what the document says that it does.
   * @returns what it printed
   */
  run(block: Block): string {
    const isTest = block.text.includes('from "bun:test"');
    const name = `block-${block.line}${isTest ? ".test" : ""}.${block.language}`;
    const path = join(this.#folder, name);
    writeFileSync(path, block.text);
    const command =
      block.language === "ts" ? `bun ${isTest ? "test " : ""}${path}` : `/bin/sh -e ${path}`;
    const { exitCode, stdout } = Bun.spawnSync(
      [...this.#around, "/bin/sh", "-c", `exec ${command} 2>&1`],
      {
        // What is said of a clone is done in this one.
        cwd: /^npm /m.test(block.text) ? ROOT : this.#folder,
        env: this.#environment,
        stdin: "ignore",
        stderr: "inherit",
        // What boots a lab may have to fetch it first.
        timeout: block.place === "machine" ? FETCH_TIMEOUT_MS : limit(60),
        killSignal: "SIGKILL",
      },
    );
    const said = stdout.toString();
    if (exitCode !== 0) throw new Error(`exit status ${exitCode}:\n${end(said)}`);
    const next = this.#blocks[this.#blocks.indexOf(block) + 1];
    if (next?.language === "text" && next.file === undefined) expectOutput(said, next);
    return said;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** The blocks of a document that are run in a place. */
export function programsOf(document: string, place: Block["place"]): readonly Block[] {
  return blocksOf(document).filter(
    (block) =>
      isProgram(block) &&
      block.place === place &&
      block.notRun === undefined &&
      block.file === undefined,
  );
}

/** The end of what a program said: it may have dumped all of its flows. */
function end(said: string): string {
  return said.length > 2000 ? `…${said.slice(-2000)}` : said;
}

/** Each line that the document shows is printed, in this order; others may stand between them. */
function expectOutput(said: string, { text, line }: Block): void {
  const printed = said.split("\n").map((each) => each.trimEnd());
  let from = 0;
  for (const shown of text.trimEnd().split("\n")) {
    const pattern = new RegExp(
      `^${shown
        .trimEnd()
        .split("…")
        .map((part) => RegExp.escape(part))
        .join(".*")}$`,
    );
    const at = printed.findIndex((each, index) => index >= from && pattern.test(each));
    if (at < 0)
      throw new Error(`the output in line ${line} says:\n${shown}\nThis came:\n${end(said)}`);
    from = at + 1;
  }
}
