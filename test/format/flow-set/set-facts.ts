/** What the records of a flow set say: read, and written anew. */
import { Packr, Unpackr } from "#msgpackr";
import { recordStarts, reseal } from "../collect.ts";

type Facts = Readonly<Record<string, unknown>>;

/** What each record of a set says. */
export function factsOf(bytes: Uint8Array): Facts[] {
  const records: unknown = new Unpackr({ useRecords: false }).unpackMultiple(bytes);
  if (!Array.isArray(records)) throw new Error("records");
  return records.map((record: unknown) => {
    const facts: unknown = Array.isArray(record) ? record[3] : undefined;
    if (typeof facts !== "object" || facts === null) throw new Error("facts");
    return { ...facts };
  });
}

/** The same set with other facts in its records; those of the header stay. */
export function withFacts(bytes: Uint8Array, facts: readonly Facts[]): Uint8Array {
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  const starts = recordStarts(bytes);
  const records = facts.map((of, i) => {
    const record = bytes.subarray(starts[i], starts[i + 1]);
    if (i === 0) return record;
    const messages = Buffer.from(record).readUInt32BE(12);
    const packed = packr.pack(of);
    const unpadded = 16 + messages + packed.length + 1;
    const made = Buffer.alloc((unpadded + 7) & ~7, 0x20);
    made.set(record.subarray(0, 16 + messages));
    made.set(packed, 16 + messages);
    made[unpadded - 1] = 0xa0 | (made.length - unpadded);
    made.writeUInt32BE(made.length, 7);
    return made;
  });
  const set = new Uint8Array(Buffer.concat(records));
  reseal(set);
  return set;
}
