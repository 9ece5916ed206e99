import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  contentOf,
  decoded,
  encoded,
  keyOf,
  normalized,
  syntaxError,
  textOf,
  ufidOf,
} from "./harness.ts";
import { FlowLineEncoder } from "../../src/flow/line.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { describeUnless } from "../runner/skip.ts";

/** Data of Open vSwitch's own tests, if it is available beside the project. */
const FOLDER = join(import.meta.dir, "../../../shared/conformance");

function lines(name: string): readonly string[] {
  const path = join(FOLDER, name);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** What no kernel has an attribute for. */
const USERSPACE = /nd_ext\(|gtpu\(|packet_type\(/;

function comesBack(text: string): void {
  if (USERSPACE.test(text)) return;
  const record = normalized(keyOf(text));
  const back = normalized(decoded(encoded(record)));
  expect(ufidOf(back)).toBe(ufidOf(record));
  expect(encoded(back)).toEqual(encoded(record));
}

const ABSENT = existsSync(FOLDER) ? undefined : `there is no ${FOLDER}`;

describeUnless(ABSENT)("keys of Open vSwitch's tests", () => {
  test("with masks: printed as they were read, in both styles to the same meaning", () => {
    for (const line of lines("wc_keys.txt")) {
      expect(textOf(keyOf(line))).toBe(line);
      expect(textOf(keyOf(textOf(keyOf(line), true)))).toBe(line);
      comesBack(line);
    }
  });

  test("valid ones parse", () => {
    for (const line of lines("keys_valid.txt")) {
      expect(keyOf(textOf(keyOf(line))).present).toEqual(keyOf(line).present);
      comesBack(line);
    }
  });

  test("a key and its normal form are the same, but for metadata that is zero", () => {
    for (const line of lines("parse_keys.tsv")) {
      const [input = "", output = ""] = line.split("\t");
      const expected = output.replace(/^ODP_FIT_[A-Z_]+: /, "");
      expect(contentOf(keyOf(withoutZeroes(input)))).toEqual(
        contentOf(keyOf(withoutZeroes(expected))),
      );
      expect(contentOf(keyOf(textOf(keyOf(input))))).toEqual(contentOf(keyOf(input)));
    }
  });
});

/** What OVS's flow structure has of every flow, and text need not say. */
function withoutZeroes(text: string): string {
  return text.replaceAll(
    /(recirc_id|dp_hash|skb_priority|skb_mark|ct_state|ct_zone|ct_mark|ct_label)\(0\),|packet_type\(ns=0,id=0\),/g,
    "",
  );
}

describe("the project's own lines", () => {
  const corpus = readFileSync(join(import.meta.dir, "corpus/keys.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));

  test.each(corpus)("%s", (line) => {
    const [input = "", printed = input] = line.split(" => ");
    expect(textOf(keyOf(input))).toBe(printed);
    const verbose = textOf(keyOf(input), true);
    expect(textOf(keyOf(verbose), true)).toBe(verbose);
    expect(ufidOf(normalized(keyOf(verbose)))).toBe(ufidOf(normalized(keyOf(input))));
    comesBack(input);
  });

  const wrong = readFileSync(join(import.meta.dir, "corpus/keys-wrong.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));

  test.each(wrong)("%s", (line) => {
    const [input = "", column = "", expected = ""] = line.split(" => ");
    const error = syntaxError(() => keyOf(input));
    expect([error.column, error.suggestion ?? error.expected]).toEqual([Number(column), expected]);
  });
});

test("actions and keys of one line share no state that survives it", () => {
  const memory = new PinnedMemory(4096);
  const writer = new AttributeWriter(memory);
  const encoder = new FlowLineEncoder({ ufid: true });
  const bytesOf = (text: string): string => {
    const bytes = new TextEncoder().encode(text);
    writer.reset(0, memory.size);
    encoder.encode(bytes, 0, bytes.length, 1, writer);
    return Buffer.from(memory.u8.subarray(0, writer.position)).toString("hex");
  };
  const plain = bytesOf("in_port(1),eth() 2");
  bytesOf("in_port(7),eth(src=00:01:02:03:04:05),eth_type(0x0800),ipv4(proto=6),key40(01/01) drop");
  syntaxError(() => bytesOf("in_port(3),eth_type(0x86dd),ipv6(src=::1,dst=nonsense) 2"));
  expect(bytesOf("in_port(1),eth() 2")).toBe(plain);
});
