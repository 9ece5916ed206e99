import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { Flow } from "../../../src/flow/flow.ts";
import { sameDeeds, sameMatch } from "../../../src/load/settle/same-flow.ts";

const CORPUS = join(import.meta.dir, "../../flow/corpus/flows.txt");

/** The flows of the corpus, each in two forms: as text has it, and with all that it does not match. */
function flows(): Flow[] {
  const lines = readFileSync(CORPUS, "utf8").split("\n");
  return (
    lines
      // A UFID that is given says nothing of what is matched.
      .filter((line) => line !== "" && !line.startsWith("#") && !line.includes("ufid:"))
      .flatMap((line) => {
        const flow = Flow.parse(line);
        return [flow, Flow.parse(flow.toString({ verbose: true }))];
      })
  );
}

test("two flows match the same packets where the hash of key and mask is the same", () => {
  const all = flows();
  let same = 0;
  for (const one of all) {
    for (const other of all) {
      const expected = one.ufid === other.ufid;
      if (expected) same++;
      if (sameMatch(one.parts, other.parts) === expected) continue;
      expect(`${one.toString()} and ${other.toString()}`).toBe(expected ? "the same" : "others");
    }
  }
  expect(same).toBeGreaterThan(all.length);
});

test("another mask, or a header that the other one has not, is another flow", () => {
  const parts = (text: string): Flow["parts"] => Flow.parse(`${text} 1`).parts;
  const ip = (of: string): string => `in_port(1),eth(),eth_type(0x0800),ipv4(${of}frag=no)`;
  expect(sameMatch(parts(ip("src=10.0.0.0/8,")), parts(ip("src=10.0.0.0/16,")))).toBe(false);
  expect(sameMatch(parts(ip("src=0.0.0.0/8,")), parts(ip("dst=0.0.0.0/8,")))).toBe(false);
  expect(sameMatch(parts("eth_type(0x0806),arp()"), parts("eth(),eth_type(0x0806),arp()"))).toBe(
    false,
  );
  expect(sameMatch(parts(ip("")), parts(`recirc_id(0/0),${ip("tos=0/0,")}`))).toBe(true);
});

test("flows do the same where their actions are the same", () => {
  const parts = (actions: string): Flow["parts"] => Flow.parse(`in_port(1),eth() ${actions}`).parts;
  expect(sameDeeds(parts("1,2"), parts("1,2"))).toBe(true);
  expect(sameDeeds(parts("1,2"), parts("2,1"))).toBe(false);
  expect(sameDeeds(parts("drop"), parts("1"))).toBe(false);
});

/** A flow of these lists of attributes; without a mask it is exact. */
function listed(key: string, mask?: string): Flow["parts"] {
  const bytes = Uint8Array.fromHex(key + (mask ?? ""));
  const [end, none] = [key.length / 2, { start: -1, end: -1 }];
  return {
    ...Flow.parse("in_port(1),eth() 1").parts,
    bytes,
    ufid: none,
    key: { start: 0, end },
    mask: mask === undefined ? none : { start: end, end: bytes.length },
    actions: none,
  };
}

test("a stack of labels that goes on as the next attribute of the other one is another match", () => {
  const [inPort, label] = ["0800030001000000", "00064140"];
  const mask = `08001500${"ff".repeat(4)}08000300${"ff".repeat(4)}`;
  const one = listed(`08001500${label}${inPort}`, mask);
  // Its second label has the bytes that begin a port.
  const two = listed(`0c001500${label}${inPort.slice(0, 8)}${inPort}`, mask);
  expect(sameMatch(one, one)).toBe(true);
  expect(sameMatch(one, two)).toBe(false);
});

test("what one flow has says nothing of the next one, and no mask is not one of zeros", () => {
  const inPort = listed("08000300ffffffff", "08000300ffffffff");
  expect(sameMatch(inPort, inPort)).toBe(true);
  expect(sameMatch(listed("08000f00ffffffff", "08000f00ffffffff"), inPort)).toBe(false);
  // The hash of the last one that was held is that of this one.
  const two = Flow.parse("in_port(2),eth() 1").parts;
  expect(sameMatch(Flow.parse("in_port(1),eth() 1").parts, two)).toBe(false);
  expect(sameMatch(two, listed("0800030002000000ff", "08000300ffffffff"))).toBe(false);
  const any = listed("0800030001000000", "0800030000000000");
  expect(sameMatch(listed("0800030001000000"), any)).toBe(false);
});
