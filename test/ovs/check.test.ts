import { describe, expect, test } from "bun:test";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { checkName, checkNumber, isName } from "../../src/ovs/check.ts";
import { setCtLimits } from "../../src/ovs/ct-limit.ts";
import { createDatapath, type DatapathHandle } from "../../src/ovs/datapath.ts";
import { setMeter } from "../../src/ovs/meter.ts";
import { addPort } from "../../src/ovs/vport.ts";
import { MillraceError, NotSupportedError } from "../../src/sys/errors.ts";

const dp0 = (channel: OvsChannel): DatapathHandle => ({ channel, name: "dp0", index: 1 });

// Nothing of this may reach a kernel, whether it has the datapath or not.
function expectUsage(run: (channel: OvsChannel) => unknown, said: string): void {
  using channel = new OvsChannel();
  try {
    run(channel);
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    expect(error).toMatchObject({ code: "USAGE", message: expect.stringContaining(said) });
    return;
  }
  throw new Error(`taken: ${said}`);
}

describe("numbers that do not fit their attribute are refused, not cut", () => {
  test.each([70_000, 0, -1, 1.5, Number.NaN])("port number %d", (number) => {
    expectUsage(
      (c) => addPort(dp0(c), "p", { type: "internal", number }),
      `port number: found ${number}`,
    );
  });

  test.each([70_000, 0, -1])("destination port %d", (destinationPort) => {
    const said = `destination port: found ${destinationPort}, expected a whole number from 1 to 65535`;
    expectUsage((c) => addPort(dp0(c), "p", { type: "vxlan", tunnel: { destinationPort } }), said);
  });

  test.each([2 ** 40, -5, 1.5])("conntrack limit %d", (limit) => {
    expectUsage((c) => setCtLimits(c, [{ zone: 1, limit }]), `conntrack limit: found ${limit}`);
  });

  test.each([2 ** 33, -1, 0.5])("meter, its rate and its burst %d", (value) => {
    const unit = "packets";
    expectUsage((c) => setMeter(dp0(c), value, { unit, bands: [] }), `meter: found ${value}`);
    const rate = { unit, bands: [{ rate: value }] } as const;
    expectUsage((c) => setMeter(dp0(c), 1, rate), `meter rate: found ${value}`);
    const burst = { unit, bands: [{ rate: 1, burst: value }] } as const;
    expectUsage((c) => setMeter(dp0(c), 1, burst), `meter burst: found ${value}`);
  });

  test("settings of a datapath", () => {
    expectUsage((c) => createDatapath(c, "d", { masksCacheSize: 2 ** 32 }), "masksCacheSize");
    expectUsage((c) => createDatapath(c, "d", { userFeatures: -1 }), "userFeatures");
    expectUsage((c) => createDatapath(c, "d", { userFeatures: 1, features: [] }), "give one");
  });
});

test("options that a port of its type does not have are refused, not ignored", () => {
  expectUsage(
    (c) => addPort(dp0(c), "p", { type: "gre", tunnel: { destinationPort: 4000 } }),
    "a port of type gre has no destination port",
  );
  expectUsage(
    (c) => addPort(dp0(c), "p", { type: "internal", tunnel: { groupPolicy: true } }),
    "a port of type internal has no group policy",
  );
});

test("names are those that an interface can have", () => {
  for (const name of ["dp0", "a", "fifteen-letters"]) expect(isName(name)).toBe(true);
  for (const name of ["", "sixteen-letters!", "a/b", "a b", "a:b", ".", "..", "a\0b", "ääääääää"]) {
    expect([name, isName(name)]).toEqual([name, false]);
  }
  expect(() => checkName("datapath", "")).toThrow('datapath: found "", expected a name of 1 to 15');
});

test("the limits themselves are taken", () => {
  for (const value of [0, 7, 65_535]) checkNumber("x", value, 0, 65_535);
});

test("NotSupportedError says since when only where that is known", () => {
  expect(new NotSupportedError("x", "5.2").message).toBe("this kernel has no x (needs Linux 5.2)");
  expect(new NotSupportedError("x", undefined).message).toBe("this kernel has no x");
});
