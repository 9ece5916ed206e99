import { FlowTemplate, type TemplateFill } from "../../../src/flow/template.ts";
import { TemplateFeed } from "../../../src/format/template-feed.ts";
import type { MicroCase } from "./case.ts";
import { Nowhere } from "./nowhere.ts";

// Flows from a template.

const WEB =
  "in_port(1),eth(),eth_type(0x0800),ipv4(src={src},proto=6,frag=no)," +
  "tcp(src={port}),tcp_flags(0/0) 2";

/** Cases that turn templates into messages ready to send. */
export function templateCases(count: number): MicroCase[] {
  const src = Uint32Array.from({ length: count }, (_, i) => 0x0a00_0000 + i);
  const port = Uint16Array.from({ length: count }, (_, i) => i);
  const objects = Array.from({ length: count }, (_, i) => ({
    src: 0x0a00_0000 + i,
    port: i & 0xffff,
  }));
  const texts = objects.map(({ src: address, port: number }) => ({
    src: `10.0.${(address >> 8) & 255}.${address & 255}`,
    port: number,
  }));
  const keyed = FlowTemplate.compile(WEB, { ufid: false });
  const hashed = FlowTemplate.compile(WEB);
  return [
    fillCase("typed columns, no UFID", count, keyed.fill({ src, port })),
    fillCase("typed columns, UFID", count, hashed.fill({ src, port })),
    fillCase("objects, UFID", count, hashed.fill(objects)),
    fillCase("objects with addresses in text, UFID", count, hashed.fill(texts)),
  ];
}

function fillCase(name: string, count: number, fill: TemplateFill): MicroCase {
  const sink = new Nowhere();
  const run = (): number => sink.drain(new TemplateFeed(fill.reader()));
  return { group: "template", name, unit: "flow", count, run };
}
