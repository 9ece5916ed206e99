import { lineToFlowJson } from "../../../src/flow/json.ts";
import { openFeed } from "../../../src/format/open-feed.ts";
import { FlowSetCompiler } from "../../../src/format/flow-set/compile.ts";
import { FlowSetWriter } from "../../../src/format/flow-set/writer.ts";
import type { FlowFormat } from "../../../src/format/detect.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { bytesSource } from "../../../src/format/source.ts";
import type { MicroCase } from "./case.ts";
import { Nowhere } from "./nowhere.ts";

/** Cases that turn input in each format into batches ready to send. */
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
  const sink = new Nowhere();
  const run = (): number => {
    const feed = openFeed({ format, source: bytesSource(name, bytes) }, { ufid: true });
    const sent = sink.drain(feed);
    feed.close();
    return sent;
  };
  return { group: "feed", name: `${name} to messages`, unit: "flow", count, run };
}
