import { lineToFlowJson } from "../../../src/flow/json.ts";
import { openFeed } from "../../../src/format/open-feed.ts";
import type { FlowSink } from "../../../src/format/feed.ts";
import { FlowSetCompiler } from "../../../src/format/flow-set-compile.ts";
import { FlowSetWriter } from "../../../src/format/flow-set-writer.ts";
import type { FlowFormat } from "../../../src/format/detect.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { bytesSource } from "../../../src/format/source.ts";
import { Batch } from "../../../src/netlink/batch.ts";
import { FlowMessages } from "../../../src/ovs/flow-message.ts";
import type { MicroCase } from "./case.ts";

const MESSAGES = 4096;

/** Where feeds go: messages are framed as a load frames them, and dropped. */
class NowhereSink implements FlowSink {
  readonly batch = new Batch(MESSAGES, 1 << 20);
  readonly ended = false;
  readonly #messages = new FlowMessages(30, 1);

  begin(): void {
    this.#messages.begin(this.batch);
  }

  commit(...[verb, line]: Parameters<FlowSink["commit"]>): boolean {
    return this.#messages.commit(this.batch, verb, line);
  }

  commitReady(...[bytes, verb, line]: Parameters<FlowSink["commitReady"]>): void {
    this.#messages.commitReady(this.batch, bytes, verb, line);
  }

  adopt(): void {
    throw new Error("no thread fills batches here");
  }

  refuse({ reason }: Parameters<FlowSink["refuse"]>[0]): void {
    throw new Error(reason);
  }
}

/** Input in each of the formats to a batch that could be sent. */
export function feedCases(count: number): MicroCase[] {
  const lines = Array.from({ length: count }, (_, i) => sampleLine(i * 7919));
  const text = encode(lines);
  const json = encode(lines.map((line) => JSON.stringify(lineToFlowJson(line))));
  return [
    feedCase("text", "text", text, count),
    feedCase("JSON lines", "jsonl", json, count),
    feedCase("MessagePack, compiled before", "msgpack", compile(text), count),
    {
      group: "feed",
      name: "compile text to MessagePack",
      unit: "flow",
      count,
      run: () => compile(text).length,
    },
  ];
}

function encode(lines: readonly string[]): Uint8Array {
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

function compile(text: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const out = new FlowSetWriter((bytes) => void parts.push(bytes.slice()));
  const compiler = new FlowSetCompiler(bytesSource("text", text), "text", out, ({ reason }) => {
    throw new Error(reason);
  });
  do while (compiler.step());
  while (compiler.fill() === true);
  compiler.finish();
  return Buffer.concat(parts);
}

function feedCase(name: string, format: FlowFormat, bytes: Uint8Array, count: number): MicroCase {
  const sink = new NowhereSink();
  const run = (): number => {
    const feed = openFeed({ format, source: bytesSource(name, bytes) }, { ufid: true });
    let sent = 0;
    const drop = (): void => {
      sent += sink.batch.bytes;
      sink.batch.clear();
    };
    do while (feed.pump(sink)) drop();
    while (feed.fill() === true);
    drop();
    feed.close();
    return sent;
  };
  return { group: "feed", name: `${name} to messages`, unit: "flow", count, run };
}
