import { describe, expect, test } from "bun:test";
import { ufidSeed } from "../../src/flow/key/ufid.ts";
import { Flow } from "../../src/flow/flow.ts";
import { identitiesOf } from "../../src/flow/identity.ts";
import { isOwned } from "../../src/flow/parts.ts";
import { FlowTemplate } from "../../src/flow/template.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { rowBytes } from "./template/support.ts";

const KEY = "in_port(1),eth(),eth_type(0x0800),ipv4(dst=10.0.0.1,frag=no)";
const OWNERS = ["", "controller", "a person"];

describe("a flow is owned", () => {
  test.each(OWNERS)("by the owner that its UFID is for: %j", (owner) => {
    const flow = Flow.parse(`${KEY} 2`, { owner });
    for (const one of OWNERS) {
      expect(flow.isOwnedBy(one)).toBe(one === owner);
      expect(isOwned(flow.parts, ufidSeed(one))).toBe(one === owner);
    }
    // Whatever its text says besides: the UFID in it stays.
    expect(Flow.parse(flow.toString({ verbose: true })).isOwnedBy(owner)).toBe(true);
    expect(identitiesOf(KEY, { owner })[0]).toEqual(flow.identity);
  });

  test("by nobody with a UFID that is no such hash, and without one", () => {
    for (const ufid of ["01112233-4455-6677-8899-aabbccddeeff", "0x0102"])
      expect(Flow.parse(`ufid:${ufid} ${KEY} 2`).isOwnedBy()).toBe(false);
    const { parts } = Flow.parse(`${KEY} 2`);
    expect(isOwned({ ...parts, ufid: { start: -1, end: -1 } })).toBe(false);
    // The hash of another match.
    const other = Flow.parse(`${KEY.replace("10.0.0.1", "10.0.0.2")} 2`);
    expect(Flow.parse(`ufid:${other.ufid} ${KEY} 2`).isOwnedBy()).toBe(false);
  });
});

test("a UFID of the owner, or of nobody, is none that a text has to keep", () => {
  expect(Flow.parse(`${KEY} 2`).toString()).toStartWith("in_port");
  expect(Flow.parse(`${KEY} 2`, { owner: "controller" }).toString()).toStartWith("ufid:");
});

test("rows of a template are for the owner of the load", () => {
  const template = FlowTemplate.compile(sampleLine(0).replace("10.0.0.0", "{src}"));
  const fill = template.fill({ src: [sourceOf(0), sourceOf(7), sourceOf(70_000)] });
  for (const owner of OWNERS) {
    const wanted = [0, 7, 70_000].map(
      (i) => Flow.parse(sampleLine(0).replace("10.0.0.0", sourceOf(i)), { owner }).ufid,
    );
    const found = rowBytes(fill, { owner }).map((row) => {
      const bytes = Uint8Array.fromHex(row.replace("put ", ""));
      return Flow.fromAttributes(bytes, 0, bytes.length).ufid;
    });
    expect(found).toEqual(wanted);
  }
});

function sourceOf(index: number): string {
  return `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
}

test("a name that is too long is a usage error", () => {
  expect(() => ufidSeed("x".repeat(255))).not.toThrow();
  for (const long of ["x".repeat(256), "ö".repeat(128)])
    expect(() => ufidSeed(long)).toThrow(MillraceError);
});
