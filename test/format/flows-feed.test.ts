import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { type FlowItem, FlowsFeed } from "../../src/format/flows-feed.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { LINE_BYTES_MAX } from "../../src/format/text-lines.ts";
import { type Collected, collect, PORTS } from "./collect.ts";

type Items = Iterable<FlowItem> | AsyncIterable<FlowItem>;

const GIVEN = "ufid:01112233-4455-6677-8899-aabbccddeeff, in_port(1),eth() 2";

function feed(
  items: Items,
  options: { ufid?: boolean; mode?: "delete" | "modify" } = {},
): FlowsFeed {
  return new FlowsFeed("script", items, { ufid: true, ports: PORTS, ...options });
}

async function* later(items: Iterable<FlowItem>): AsyncGenerator<FlowItem> {
  for (const item of items) {
    await Bun.sleep(0);
    yield item;
  }
}

/** The output of a feed, and the error that ended it. */
async function all(items: Items): Promise<Collected & { error: string }> {
  const into: Collected = { messages: [], refusals: [] };
  try {
    await collect(feed(items), 1000, into);
    return { ...into, error: "" };
  } catch (error) {
    return { ...into, error: String(error) };
  }
}

const corpus = readFileSync(join(import.meta.dir, "../flow/corpus/flows.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

describe("flows of a script", () => {
  test("are the same as bytes and as text, waited for or not", async () => {
    const flows = corpus.map((line) => Flow.parse(line, { ports: PORTS }));
    const wanted = await collect(feed(corpus));
    expect([wanted.messages.length, wanted.refusals]).toEqual([corpus.length, []]);
    expect(await collect(feed(flows))).toEqual(wanted);
    expect(await collect(feed(later(flows)), 3)).toEqual(wanted);
    expect(await collect(feed(flows.map((flow) => flow.toString())))).toEqual(wanted);
  });

  test("keep a UFID that was given, and get a hash or none else", async () => {
    for (const ufid of [true, false]) {
      for (const mode of [undefined, "delete", "modify"] as const) {
        const options = { ufid, ...(mode === undefined ? {} : { mode }) };
        const lines = [GIVEN, sampleLine(1)];
        const wanted = await collect(feed(lines, options));
        expect(wanted.messages.length).toBe(2);
        const flows = lines.map((line) => Flow.parse(line));
        expect(await collect(feed(flows, options))).toEqual(wanted);
      }
    }
  });

  test("that name nothing are not deleted, and those that do nothing are not put", async () => {
    const nothing = Flow.parse("recirc_id(0/0) 1");
    const { messages, refusals } = await collect(feed([nothing], { ufid: false, mode: "delete" }));
    expect([messages, refusals[0]?.slice(0, 8)]).toEqual([[], "1 NO_KEY"]);
    const { parts } = Flow.parse(sampleLine(1));
    const idle = Flow.fromParts({ ...parts, actions: { start: -1, end: -1 } });
    expect((await collect(feed([idle]))).refusals).toEqual(["1 NO_ACTIONS a flow without actions"]);
  });

  test("may be lines with their newlines, comments and mistakes among them", async () => {
    const lines = [`${sampleLine(1)}\n`, "# why", "nonsense", "", `${sampleLine(2)}\r\n`];
    const { messages, refusals, error } = await all(lines);
    expect([messages.length, refusals.length, error]).toEqual([2, 1, ""]);
    expect([messages[1]?.split(" ")[0], refusals[0]?.split(" ")[0]]).toEqual(["5", "3"]);
    const { messages: same } = await all(later(lines));
    expect(same).toEqual(messages);
  });

  test("may be long, but no longer than netlink carries", async () => {
    const long = `${sampleLine(1)} # ${"x".repeat(50_000)}`;
    const { messages, refusals } = await all([long, "x".repeat(LINE_BYTES_MAX + 1), sampleLine(2)]);
    expect([messages.length, refusals]).toEqual([2, ["2 LINE_TOO_LONG longer than 1048576 bytes"]]);
  });

  test("are taken up to where the script throws", async () => {
    function* broken(count: number): Generator<string> {
      for (let i = 0; i < count; i++) yield sampleLine(i);
      throw new RangeError("no more");
    }
    for (const count of [0, 1, 5, 2500]) {
      for (const items of [broken(count), later(broken(count))]) {
        const { messages, error } = await all(items);
        expect([messages.length, error]).toEqual([
          count,
          `UnreadableInputError: cannot read line ${count + 1} of script: no more`,
        ]);
      }
    }
    expect(await all([sampleLine(1), "b\nc", "d"])).toMatchObject({
      messages: [expect.stringMatching(/^1 /)],
      error: 'UnreadableInputError: cannot read script: a newline within the flow "b\nc"',
    });
  });
});

test("comments without end give way to the load, line by line", async () => {
  function* endless(): Generator<string> {
    for (;;) yield "# a comment";
  }
  const script = feed(endless());
  let fills = 0;
  const filled = script.fill.bind(script);
  script.fill = () => ++fills < 4 && filled();
  await collect(script);
  expect(script.line).toBeGreaterThan(4);
  expect(fills).toBe(4);
});

test("a script is left as a loop would, and one that has ended, or thrown, is not left once more", () => {
  const timesLeft = async (next: () => IteratorResult<string>): Promise<number> => {
    let times = 0;
    const leave = () => ({ done: true, value: times++ }) as const;
    const script = feed({ [Symbol.iterator]: () => ({ next, return: leave }) });
    void script.fill();
    await collect(script, 1).catch(() => undefined);
    return times;
  };
  const cases: [wanted: number, next: () => IteratorResult<string>][] = [
    [1, () => ({ done: false, value: "a\nb" })],
    [0, () => ({ done: true, value: undefined })],
    [
      0,
      () => {
        throw new Error("no more");
      },
    ],
  ];
  for (const [wanted, next] of cases) {
    void timesLeft(next).then((times) => expect(times).toBe(wanted));
  }
});

test("a line on its way is quoted as it stands", () => {
  const script = feed([sampleLine(1), Flow.parse(GIVEN)]);
  expect(script.lineText(1)).toBeUndefined();
});
