import { normalize } from "../../../src/flow/key/normal-form.ts";
import { parseKey } from "../../../src/flow/key/parse.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { hashWords } from "../../../src/flow/key/hash.ts";
import { NO_OWNER, writeUfid } from "../../../src/flow/key/ufid.ts";
import { Cursor } from "../../../src/flow/text/cursor.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import type { MicroCase } from "./case.ts";

/** The number of words hashed into the UFID of a sample flow. */
const WORDS = 44;

/** The hash that is a flow's UFID. */
export function ufidCases(count: number): MicroCase[] {
  const record = new KeyRecord();
  const line = new TextEncoder().encode(sampleLine(1));
  parseKey(new Cursor().reset(line, 0, line.length, 1), record);
  normalize(record);
  const out = new Int32Array(4);
  const words = Int32Array.from({ length: WORDS }, (_, i) => i * 7919);
  const hashCase = (name: string, hash: (i: number) => void): MicroCase => ({
    group: "UFID",
    name,
    unit: "flow",
    count,
    run: () => {
      let sum = 0;
      for (let i = 0; i < count; i++) {
        hash(i);
        sum ^= out[0] ?? 0;
      }
      return sum;
    },
  });
  return [
    hashCase("of a key", () => writeUfid(record, out, 0)),
    hashCase(`of ${WORDS} words`, (i) => {
      words[0] = i;
      hashWords(words, WORDS, out, 0, NO_OWNER);
    }),
  ];
}
