/**
 * Loads the sample's flows from a template and typed columns, through the library as a script does.
 * Prints one line of JSON. Loads twice: once to warm up, once to measure.
 *
 *   bun bench/lab/template.ts DATAPATH FLOWS FIRST
 */
import { Datapath, FlowTemplate } from "../../src/index.ts";
import type { ProgramReport } from "../model.ts";

const [name = "", count, first] = process.argv.slice(2);
const flows = Number(count);

const template = FlowTemplate.compile(
  "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800)," +
    "ipv4(src={src},dst={dst},proto=17,tos=0,ttl=64,frag=no),udp(src={port},dst=53) 2",
);
const columns = {
  src: new Uint32Array(flows),
  dst: new Uint32Array(flows),
  port: new Uint16Array(flows),
};
// The values of `sampleLine` of src/format/sample.ts.
for (let i = 0; i < flows; i++) {
  const index = Number(first) + i;
  columns.src[i] = (10 << 24) | (index & 0xffffff);
  columns.dst[i] = 0xc0a80000 | (((index >>> 24) & 0x3f) << 8) | (100 + (index % 100));
  columns.port[i] = 10_000 + (index % 50_000);
}

using datapath = Datapath.open(name);
// oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- no array is filled here
const filled = template.fill(columns);
await datapath.load(filled);
datapath.flush();
const { report } = await datapath.load(filled);
const { seconds, systemCalls, bytes, batchLatencyMicroseconds, peakResidentBytes } = report;
const said: ProgramReport = {
  seconds,
  systemCalls,
  bytes,
  batchLatencyMicroseconds,
  peakResidentBytes,
};
console.log(JSON.stringify(said));
process.exitCode = report.applied === flows ? 0 : 1;
