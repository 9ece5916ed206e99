import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FlowTemplate, type TemplateRow } from "../../src/flow/template.ts";
import { bytesSource } from "../../src/format/source.ts";
import { TemplateFeed } from "../../src/format/template-feed.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { PROPERTY } from "../flow/harness.ts";
import { collect, utf8 } from "./collect.ts";

/** Bits beside other bits, masks, bytes, a form that a zero would change, actions. */
const TEMPLATE =
  "tunnel(tun_id={word},dst=1.2.3.4,tp_src={tunnelPort},ttl=64),in_port({port})," +
  "eth(src={mac}/ff:ff:ff:ff:ff:00),eth_type(0x8100),vlan(vid={vid},pcp={bits}),encap(" +
  "eth_type(0x800),ipv4(src={ip},dst={ip}/255.255.0.0,tos={byte}/0xfc)) {port}";

const int = (min: number, max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max));

/** One in some rows has a value that does not fit. */
const row = fc.record({
  word: int(0, 0xffff_ffff),
  tunnelPort: int(0, 65_535),
  port: fc.oneof(
    { weight: 9, arbitrary: int(0, 65_535) },
    { weight: 1, arbitrary: fc.constant(65_536) },
  ),
  mac: fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":")),
  vid: int(0, 4095),
  bits: int(0, 7),
  ip: int(0, 0xffff_ffff),
  byte: int(0, 255),
});

type Row = TemplateRow<"word" | "tunnelPort" | "port" | "mac" | "vid" | "bits" | "ip" | "byte">;

const quad = (value: number): string =>
  [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");

function lineOf(template: string, values: Readonly<Record<string, number | string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    name === "ip" ? quad(Number(values[name])) : String(values[name]),
  );
}

test("rows are sent as the lines with their values are, from batch to batch of one arena", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom("", "modify ", "delete "),
      fc.boolean(),
      async (rows, capacity, verb, ufid) => {
        const text = verb + TEMPLATE;
        const columns: Row[] = rows;
        const feed = new TemplateFeed(FlowTemplate.compile(text, { ufid }).fill(columns).reader());
        const copies = await collect(feed, capacity);
        const lines = utf8(rows.map((values) => lineOf(text, values)).join("\n"));
        const parsed = await collect(new TextFeed(bytesSource("lines", lines), { ufid }), capacity);
        expect(copies.messages).toEqual(parsed.messages);
        const refused = ({ refusals }: typeof copies): string[] =>
          refusals.map((refusal) => refusal.split(" ")[0] ?? "");
        expect(refused(copies)).toEqual(refused(parsed));
      },
    ),
    { ...PROPERTY, numRuns: Math.min(PROPERTY.numRuns ?? 300, 300) },
  );
});
