import * as fc from "fast-check";
import type { Field } from "../../../src/flow/text/field.ts";
import { KEYS, NEWEST_KEY } from "../../../src/flow/key/table.ts";
import { TUNNEL_FIELDS, TUNNEL_FLAGS_FIELD } from "../../../src/flow/key/tunnel-fields.ts";

/** Text of one field's value with one of its mask forms. */
function fieldText(of: Field): fc.Arbitrary<string> {
  switch (of.kind) {
    case "mac":
      return masked(macText(), macText());
    case "ipv4":
      return masked(ipv4Text(), fc.oneof(ipv4Text(), fc.nat({ max: 32 }).map(String)));
    case "ipv6":
      return masked(fc.ipV6(), fc.oneof(fc.ipV6(), fc.nat({ max: 128 }).map(String)));
    case "frag":
      return masked(fc.constantFrom("no", "first", "later"), fc.constantFrom("0", "0xff"));
    case "flags":
      return flagsText(of);
    case "port":
      return masked(number(0xffff), fc.constantFrom("0", "0xffffffff", "0xff"));
    case "number64":
      return masked(big(64), big(64));
    case "number128":
      return masked(hexadecimal(128), hexadecimal(128));
    case "hex":
      return masked(byteText(of.size), byteText(of.size));
    default:
      return masked(number(of.limit), number(of.max));
  }
}

function masked(value: fc.Arbitrary<string>, mask: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    value,
    fc.tuple(value, mask).map(([v, m]) => `${v}/${m}`),
  );
}

function number(max: number): fc.Arbitrary<string> {
  return fc
    .tuple(fc.oneof(fc.nat({ max }), fc.constantFrom(0, max)), fc.constantFrom(10, 16, 8))
    .map(([value, base]) => {
      if (base === 10) return String(value);
      return base === 16 ? `0x${value.toString(16)}` : `0${value.toString(8)}`;
    });
}

function big(bits: number): fc.Arbitrary<string> {
  return fc
    .tuple(fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n }), fc.boolean())
    .map(([value, hex]) => (hex ? `0x${value.toString(16)}` : value.toString()));
}

function hexadecimal(bits: number): fc.Arbitrary<string> {
  return fc
    .bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })
    .map((value) => `0x${value.toString(16)}`);
}

function byteText(size: number): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: size, maxLength: size })
    .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" "));
}

function macText(): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => Array.from(bytes, (byte) => byte.toString(16)).join(":"));
}

function ipv4Text(): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => [...bytes].join("."));
}

function flagsText(of: Field): fc.Arbitrary<string> {
  const names = of.words.map((name, bit) => name ?? `[${(2 ** bit).toString(16)}]`);
  const max = 2 ** of.words.length - 1;
  const some = fc.subarray(names, { minLength: 1 });
  return fc.oneof(
    some.map((flags) => flags.join("|")),
    some.chain((flags) =>
      fc
        .array(fc.constantFrom("+", "-"), { minLength: flags.length, maxLength: flags.length })
        .map((signs) => flags.map((name, i) => `${signs[i]}${name}`).join("")),
    ),
    fc.tuple(number(max), number(max)).map(([value, mask]) => `${value}/${mask}`),
    fc.constant("0"),
  );
}

function structText(fields: readonly Field[]): fc.Arbitrary<string> {
  return fc
    .shuffledSubarray([...fields])
    .chain((chosen) =>
      fc
        .tuple(...chosen.map((of) => fieldText(of)))
        .map((values) => chosen.map((of, i) => `${of.name}=${values[i]}`).join(",")),
    );
}

function geneveText(): fc.Arbitrary<string> {
  const option = fc
    .tuple(number(0xffff), number(0xff), fc.nat({ max: 5 }), fc.boolean())
    .chain(([kind, type, words, mask]) => {
      const data = hexadecimal(words * 32);
      const value = mask ? fc.tuple(data, data).map(([d, m]) => `${d}/${m}`) : data;
      const head = `class=${kind},type=${type},len=${words * 4}`;
      return words === 0 ? fc.constant(`{${head}}`) : value.map((text) => `{${head},${text}}`);
    });
  return fc.array(option, { maxLength: 3 }).map((options) => `geneve(${options.join("")})`);
}

function tunnelText(fields: readonly Field[], flags: Field): fc.Arbitrary<string> {
  const options = fc.oneof(
    geneveText(),
    fc.tuple(number(0xffff), number(0xff)).map(([id, f]) => `vxlan(gbp(id=${id},flags=${f}))`),
    masked(number(0xffff_ffff), number(0xffff_ffff)).map((idx) => `erspan(ver=1,idx=${idx})`),
    fc.constantFrom("erspan(ver=2,dir=1,hwid=0x7/0x3)", "erspan(ver=2,dir=0)", "vxlan(gbp())"),
  );
  // The kernel requires a destination, of one family.
  const six = fields.filter((of) => of.name !== "src" && of.name !== "dst");
  const four = fields.filter((of) => !of.name.startsWith("ipv6"));
  const destination = /(^|,)(ipv6_)?dst=/;
  return fc
    .tuple(
      fc
        .oneof(structText(four), structText(six))
        .map((text) => (destination.test(text) ? text : `dst=10.0.0.1${text && ","}${text}`)),
      fc.option(options, { nil: undefined }),
      fc.option(
        flagsText(flags).map((text) => `flags(${text})`),
        { nil: undefined },
      ),
    )
    .map((parts) => parts.filter((part) => part !== undefined && part !== "").join(","));
}

/** Text of one key, `name(…)`, of those that a kernel takes; not of encap(). */
export function attributeText(
  name: string,
  tunnelFields: readonly Field[],
  tunnelFlags: Field,
): fc.Arbitrary<string> {
  const spec = KEYS.find((key) => key.name === name);
  if (spec === undefined) throw new Error(name);
  const wrap = (inner: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    inner.map((text) => `${name}(${text})`);
  const [first] = spec.fields;
  if (spec.form === "tunnel") return wrap(tunnelText(tunnelFields, tunnelFlags));
  if (spec.form === "single" && first !== undefined) return wrap(fieldText(first));
  if (spec.form === "mpls") {
    const entry = fc
      .tuple(...spec.fields.map((of) => fieldText(of)))
      .map((values) => spec.fields.map((of, i) => `${of.name}=${values[i]}`).join(","));
    return wrap(fc.array(entry, { minLength: 1, maxLength: 3 }).map((all) => all.join(",")));
  }
  return wrap(structText(spec.fields));
}

const NAMES = KEYS.filter((key) => key.form !== "encap" && key.where === "kernel").map(
  (key) => key.name,
);

function levelText(names: readonly string[]): fc.Arbitrary<string> {
  return fc
    .shuffledSubarray([...names], { minLength: 1, maxLength: 8 })
    .chain((chosen) =>
      fc
        .tuple(...chosen.map((name) => attributeText(name, TUNNEL_FIELDS, TUNNEL_FLAGS_FIELD)))
        .map((all) => all.join(",")),
    );
}

const INNER = NAMES.filter((name) => name !== "tunnel");
const unknown = fc
  .tuple(
    fc.constantFrom(NEWEST_KEY + 1, NEWEST_KEY + 8, 200),
    fc.uint8Array({ minLength: 1, maxLength: 9 }),
  )
  .map(([type, bytes]) => {
    const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return `key${type}(${text}/${text})`;
  });

/** A whole key: any attributes, inside up to two tags, including unnamed ones. */
export const keyText: fc.Arbitrary<string> = fc
  .tuple(
    levelText(NAMES),
    fc.option(levelText(INNER)),
    fc.option(levelText(INNER)),
    fc.option(unknown),
  )
  .map(([outer, inner, innermost, nameless]) => {
    let encap = "";
    if (inner !== null && innermost !== null) encap = `,encap(${inner},encap(${innermost}))`;
    else if (inner !== null) encap = `,encap(${inner})`;
    return `${outer}${encap}${nameless === null ? "" : `,${nameless}`}`;
  });
