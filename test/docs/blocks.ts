/**
 * The fenced blocks of README and docs, as they stand there. Each says by its language what it is, and what is not
 * run says so in the line before it, where a reader sees it.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, textOf } from "../source.ts";

/**
 * What a block can be. `sh` and `ts` are run. `text` is what the program before it prints; in it `…` stands
 * for anything. `flow` holds flows, a line each, and `example` parts of flows. The others are for readers alone.
 */
const LANGUAGES = [
  "sh",
  "ts",
  "text",
  "flow",
  "example",
  "grammar",
  "diagram",
  "yaml",
  "dockerfile",
];

/** The line that stands before a block that is not run. */
const NOT_RUN = /^\*Not run by the tests: (.+)\.\*$/;

/** The line before a block that is the content of a file, which a later block uses. */
const FILE = /`([\w./-]+\.\w+)`:$/;

/** What boots a kernel by itself: such a block runs on the machine, all others in a lab. */
const BOOTS = /\b(?:millrace (?:lab|bench|demo)|npm run (?:demo|bench))\b/;

export type Block = {
  /** The document, by its path from the root of the project. */
  readonly document: string;
  /** The line of its opening fence. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** Why it is not run, where the document says so. */
  readonly notRun?: string;
  /** The file that it is the content of. */
  readonly file?: string;
  readonly place: "lab" | "machine";
};

/** README and the pages of docs. */
export const DOCUMENTS: readonly string[] = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .toSorted()
    .map((file) => join("docs", file)),
];

/** @throws Error where a fence is not closed, or a block does not say what it is */
function readBlocks(document: string): readonly Block[] {
  const lines = textOf(document).split("\n");
  const blocks: Block[] = [];
  let before = "";
  for (let at = 0; at < lines.length; at++) {
    const [, indent = "", language = ""] = /^( *)```(.*)$/.exec(lines[at] ?? "") ?? [];
    if (lines[at]?.trimStart().startsWith("```") !== true) {
      before = lines[at]?.trim() || before;
      continue;
    }
    const line = at + 1;
    if (!LANGUAGES.includes(language)) {
      throw new Error(
        `${document}:${line}: a block of "${language}", expected ${LANGUAGES.join()}`,
      );
    }
    const end = lines.indexOf(`${indent}\`\`\``, at + 1);
    if (end < 0) throw new Error(`${document}:${line}: the block does not end`);
    const text = lines.slice(at + 1, end).map((each) => `${each.slice(indent.length)}\n`);
    blocks.push(blockOf({ document, line, language, text: text.join("") }, before));
    at = end;
    before = "";
  }
  return blocks;
}

function blockOf(found: Omit<Block, "place">, before: string): Block {
  const notRun = NOT_RUN.exec(before)?.[1];
  const file = FILE.exec(before)?.[1];
  return {
    ...found,
    place: BOOTS.test(found.text) ? "machine" : "lab",
    ...(notRun === undefined ? {} : { notRun }),
    ...(file === undefined ? {} : { file }),
  };
}

/** All blocks of all documents. */
export const BLOCKS: readonly Block[] = DOCUMENTS.flatMap(readBlocks);

/** The blocks of a document, in their order. */
export function blocksOf(document: string): readonly Block[] {
  return BLOCKS.filter((block) => block.document === document);
}

/** Whether a block is a program: to be run, or marked. */
export function isProgram({ language }: Block): boolean {
  return language === "sh" || language === "ts";
}
