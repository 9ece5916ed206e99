/**
 * Loads flows that a program makes, and says what became of each that was not applied.
 *
 *   bun docs/examples/bulk-load.ts DATAPATH COUNT
 */
import { Datapath, FlowTemplate } from "millrace";

const [name = "", count = "100000"] = process.argv.slice(2);

using dp = Datapath.open(name);
const template = FlowTemplate.compile(
  "in_port(1),eth(),eth_type(0x0800),ipv4(src={src},proto=17,frag=no),udp(dst={port}) drop",
);
const result = await dp.load(template.fill(rows(Number(count))), {
  onException: ({ line, reason, text }) => console.log(`flow ${line}: ${reason}: ${text}`),
});
console.log(`${result.applied} of ${result.length} flows applied`);
process.exitCode = result.applied === result.length ? 0 : 1;

function* rows(total: number): Generator<{ src: string; port: number }> {
  for (let i = 0; i < total; i++) {
    yield { src: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, port: 1024 + (i % 60_000) };
  }
}
