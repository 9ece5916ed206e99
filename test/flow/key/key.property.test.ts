import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { decodeKey, NO_MASK } from "../../../src/flow/key/decode.ts";
import { parseKey } from "../../../src/flow/key/parse.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import {
  OVS_KEY_ATTR_ENCAP,
  OVS_KEY_ATTR_ETHERTYPE,
  OVS_KEY_ATTR_VLAN,
} from "../../../src/uapi/openvswitch.ts";
import { Cursor } from "../../../src/flow/text/cursor.ts";
import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import {
  contentOf,
  decoded,
  encoded,
  encoder,
  keyOf,
  normalized,
  PROPERTY,
  textOf,
  ufidOf,
} from "../harness.ts";
import { keyText } from "./arbitrary.ts";

test("what is printed reads back to the same, in both styles", () => {
  fc.assert(
    fc.property(keyText, (text) => {
      const record = keyOf(text);
      const verbose = textOf(record, true);
      expect(contentOf(normalized(keyOf(verbose)))).toEqual(contentOf(normalized(keyOf(text))));
      expect(textOf(keyOf(verbose), true)).toBe(verbose);
      const short = textOf(record);
      if (short === "") return;
      expect(ufidOf(normalized(keyOf(short)))).toBe(ufidOf(normalized(keyOf(text))));
      expect(textOf(keyOf(short))).toBe(short);
    }),
    PROPERTY,
  );
});

test("the normal form is its own, and comes back from netlink whole", () => {
  fc.assert(
    fc.property(keyText, (text) => {
      const record = normalized(keyOf(text));
      const content = contentOf(record);
      expect(contentOf(normalized(record))).toEqual(content);
      const bytes = encoded(record);
      const back = normalized(decoded(bytes));
      expect(encoded(back)).toEqual(bytes);
      expect(ufidOf(back)).toBe(ufidOf(record));
    }),
    PROPERTY,
  );
});

test.each(["arp(op=0/0x4f00)", "ipv6(label=0/0xf0000),arp(op=0/0xff00)"])(
  "bits that the kernel does not keep are no reason to keep an attribute: %s",
  (text) => {
    const record = normalized(keyOf(text));
    const content = contentOf(record);
    expect(contentOf(normalized(record))).toEqual(content);
    expect(ufidOf(normalized(decoded(encoded(record))))).toBe(ufidOf(record));
  },
);

test("an encap() without a tag, in a tag of any type, comes back from netlink", () => {
  const record = normalized(keyOf("eth_type(0),vlan(vid=0,pcp=0/7),encap(encap(eth_type(0/1)))"));
  const bytes = encoded(record);
  expect(encoded(normalized(decoded(bytes)))).toEqual(bytes);
});

test("a record that was used before is as a new one", () => {
  const used = new KeyRecord();
  fc.assert(
    fc.property(keyText, (text) => {
      expect(contentOf(keyOf(text, used))).toEqual(contentOf(keyOf(text)));
      used.clear();
      expect(used.bytes.every((byte) => byte === 0)).toBe(true);
    }),
    PROPERTY,
  );
});

/**
 * What is printed, but not read: ports, bits of ct_state and opcodes of ARP that cannot be, key32 of
 * another length.
 */
const IMPOSSIBLE = new RegExp(
  [
    String.raw`in_port\((?:6553[6-9]|655[4-9]\d|65[6-9]\d\d|6[6-9]\d{3}|[7-9]\d{4}|\d{6,})`,
    String.raw`ct_state\([^)]*0x[0-9a-f]{3,}`,
    String.raw`key32\((?!\w\w \w\w[)/])`,
    String.raw`[(,]op=(?:25[6-9]|2[6-9]\d|[3-9]\d\d|\d{4,})`,
  ].join("|"),
);

function survives(bytes: Uint8Array): void {
  const record = new KeyRecord();
  const cursor = new Cursor().reset(bytes, 0, bytes.length, 1);
  try {
    parseKey(cursor, record);
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    expect(error.column).toBeGreaterThanOrEqual(1);
    expect(error.column).toBeLessThanOrEqual(bytes.length + 1);
    expect(error.caret().split("\n").length).toBe(2);
  }
}

test("no bytes crash the parser", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survives), PROPERTY);
});

test("no mutated key crashes the parser", () => {
  const mutation = fc.tuple(
    fc.nat(),
    fc.nat({ max: 255 }),
    fc.constantFrom("set", "cut", "double"),
  );
  fc.assert(
    fc.property(keyText, fc.array(mutation, { minLength: 1, maxLength: 4 }), (text, mutations) => {
      let bytes = encoder.encode(text);
      for (const [place, byte, how] of mutations) {
        const at = place % Math.max(1, bytes.length);
        if (how === "set") bytes[at] = byte;
        else if (how === "cut") bytes = bytes.slice(0, at);
        else bytes = encoder.encode(text.slice(0, at) + text);
      }
      survives(bytes);
    }),
    PROPERTY,
  );
});

test("options of a tunnel that end within a word are none", () => {
  const text = "tunnel(dst=10.0.0.1,geneve({class=0x102,type=1,len=4,0x0a0b0c0d}))";
  const { bytes, keyEnd } = encoded(normalized(keyOf(text)));
  const options = bytes.findIndex((byte, at) => at % 4 === 0 && byte === 12 && bytes[at + 2] === 8);
  expect(decodeKey(bytes, 0, keyEnd, NO_MASK, NO_MASK, new KeyRecord())).toBe(true);
  bytes[options] = 10;
  expect(options).toBeGreaterThan(0);
  expect(decodeKey(bytes, 0, keyEnd, NO_MASK, NO_MASK, new KeyRecord())).toBe(false);
});

test("no bytes crash the decoder, and what it takes prints and reads back", () => {
  const someKey = keyText.map((text) => encoded(normalized(keyOf(text))));
  fc.assert(
    fc.property(
      someKey,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }),
      ({ bytes: whole, keyEnd, maskEnd }, changes) => {
        // Drawn values are not changed, so that a failed run can be replayed.
        const bytes = whole.slice();
        for (const [place, byte] of changes)
          if (bytes.length > 0) bytes[place % bytes.length] = byte;
        const record = new KeyRecord();
        for (const maskStart of [keyEnd, NO_MASK]) {
          if (!decodeKey(bytes, 0, keyEnd, maskStart, maskEnd, record)) continue;
          const text = textOf(record, true);
          if (text === "" || IMPOSSIBLE.test(text)) continue;
          expect(textOf(keyOf(text), true)).toBe(text);
        }
      },
    ),
    PROPERTY,
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      decodeKey(bytes, 0, bytes.length, NO_MASK, NO_MASK, new KeyRecord());
      decodeKey(bytes, 0, bytes.length >> 1, bytes.length >> 1, bytes.length, new KeyRecord());
    }),
    PROPERTY,
  );
});

test("a key with a tag but no type leaves nothing for the next one", () => {
  // vlan(vid=0) and encap(); then eth_type(0x9200), of which nothing is matched.
  const tagged = Uint8Array.of(
    6,
    0,
    OVS_KEY_ATTR_VLAN,
    0,
    0x10,
    0,
    0,
    0,
    4,
    0,
    OVS_KEY_ATTR_ENCAP,
    0,
  );
  const typed = Uint8Array.of(6, 0, OVS_KEY_ATTR_ETHERTYPE, 0, 0x92, 0, 0, 0);
  const record = new KeyRecord();
  expect(decodeKey(tagged, 0, 12, 12, 12, record)).toBe(true);
  expect(decodeKey(typed, 0, 8, 8, 8, record)).toBe(true);
  const fresh = new KeyRecord();
  decodeKey(typed, 0, 8, 8, 8, fresh);
  expect(record.bytes).toEqual(fresh.bytes);
});
