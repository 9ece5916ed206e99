import { closeSync, openSync, writeSync } from "node:fs";

/** Flows in a piece of text. */
const LINES_PER_PIECE = 4096;

/**
 * Flow `index` of a sample, in text: IPv4 and UDP, matched exactly, output to port 2; 156 bytes of
 * netlink without a UFID. Each index below 2^30 gives a different key; all share one mask.
 */
export function sampleLine(index: number): string {
  const source = `10.${(index >>> 16) & 0xff}.${(index >>> 8) & 0xff}.${index & 0xff}`;
  const destination = `192.168.${(index >>> 24) & 0x3f}.${100 + (index % 100)}`;
  return (
    "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800)," +
    `ipv4(src=${source},dst=${destination},proto=17,tos=0,ttl=64,frag=no),` +
    `udp(src=${10000 + (index % 50000)},dst=53) 2`
  );
}

/** How many sample flows have different keys. */
export const SAMPLE_FLOWS_MAX: number = 1 << 30;

/** Sample flows `first` to `first + count`, one per line, in pieces of some hundred kilobytes. */
export function* sampleText(count: number, first = 0): Generator<string> {
  for (let done = 0; done < count; done += LINES_PER_PIECE) {
    let text = "";
    const end = Math.min(count, done + LINES_PER_PIECE);
    for (let i = done; i < end; i++) text += `${sampleLine(first + i)}\n`;
    yield text;
  }
}

/** Writes sample flows `first` to `first + count`, one per line, to a new file. */
export function writeSample(path: string, count: number, first = 0): void {
  const fd = openSync(path, "w");
  try {
    for (const text of sampleText(count, first)) writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}
