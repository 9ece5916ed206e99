/** Reads the output of `bun test --reporter=junit`: the result of each test. */
import { SKIP } from "./skip.ts";

/** What became of one test. */
export type Outcome = {
  /** Path from the project's folder. */
  readonly file: string;
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  /** The reason of a skipped test; undefined if none was given. */
  readonly reason: string | undefined;
};

/** What became of the tests of one run of `bun test`. */
type Results = {
  readonly outcomes: readonly Outcome[];
  /** Seconds by file. */
  readonly seconds: ReadonlyMap<string, number>;
};

const ELEMENT =
  /<testsuite (?<suite>[^>]*)>|(?<end><\/testsuite>)|<testcase (?<test>[^>]*?)(?:\/>|>(?<body>[\s\S]*?)<\/testcase>)/g;

/** A hook of a group, which bun reports as a test if it failed, or was skipped with its group. */
const HOOK = "(unnamed)";

/** Reads a report in JUnit's XML. @throws Error if it is not one, or is truncated */
export function readJunit(xml: string): Results {
  if (!xml.trimEnd().endsWith("</testsuites>")) throw new Error("the report is cut");
  const outcomes: Outcome[] = [];
  const seconds = new Map<string, number>();
  const groups: string[] = [];
  for (const { groups: found } of xml.matchAll(ELEMENT)) {
    const { suite, end, test, body = "" } = found ?? {};
    if (suite !== undefined) {
      // The outermost group is the file.
      if (groups.length === 0) seconds.set(attribute(suite, "file"), secondsOf(suite));
      groups.push(attribute(suite, "name"));
    } else if (end !== undefined) groups.pop();
    else if (test !== undefined) {
      const name = [...groups.slice(1), attribute(test, "name")].join(" > ");
      const state = /<(?:failure|error)\b/.test(body)
        ? "failed"
        : body.includes("<skipped")
          ? "skipped"
          : "passed";
      if (state === "skipped" && name.endsWith(HOOK)) continue;
      const reason = name.split(SKIP)[1]?.split(" > ")[0];
      outcomes.push({ file: attribute(test, "file"), name, state, reason });
    }
  }
  return { outcomes, seconds };
}

function secondsOf(attributes: string): number {
  return Number(attribute(attributes, "time"));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

function attribute(attributes: string, name: string): string {
  const text = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1];
  if (text === undefined) throw new Error(`expected ${name}=, found ${attributes}`);
  return text.replace(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity);
}
