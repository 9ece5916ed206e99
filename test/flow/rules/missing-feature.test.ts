import { describe, expect, test } from "bun:test";
import { ACTIONS, NEWEST_ACTION } from "../../../src/flow/action/table.ts";
import { FEATURE, FEATURE_FLAGS } from "../../../src/flow/feature.ts";
import { KEYS, NEWEST_KEY } from "../../../src/flow/key/table.ts";
import { ALL_FEATURES } from "../../../src/flow/rules/features.ts";
import { missingFeatures } from "../../../src/flow/rules/missing-feature.ts";
import { explainRejection, type Rejection } from "../../../src/load/settle/explain.ts";
import { Flow } from "../../../src/flow/flow.ts";
import { EINVAL, ENOENT } from "../../../src/sys/errno.ts";
import { verdict } from "./support.ts";

const IPV4 = "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)";
// As User Mode Linux 6.1 answers.
const OLD = {
  ...ALL_FEATURES,
  actionMax: 23,
  hashSymL4: false,
  ctZones: false,
  psample: false,
};

test("what a kernel lacks, with the Linux that has it", () => {
  expect(missingFeatures(ALL_FEATURES)).toEqual([]);
  // And every action that comes after these.
  const found = missingFeatures(OLD).map(({ feature, since }) => `${feature}: ${since}`);
  const features = ["conntrack zones: 4.3 with NF_CONNTRACK_ZONES", "hash(sym_l4()): 6.6"];
  expect(found.slice(0, 2)).toEqual(["action drop(REASON): 6.7", "action psample: 6.11"]);
  expect(found.slice(-2)).toEqual(features);
  const [exthdrs] = missingFeatures({ ...ALL_FEATURES, keyMax: 31 });
  expect(exthdrs).toEqual({ feature: "key key32()", since: "5.18" });
});

test.each([
  ["drop(1)", "action drop(REASON)"],
  ["psample(group=1)", "action psample"],
  ["clone(drop(1))", "action drop(REASON)"],
  ["hash(sym_l4(0))", "hash(sym_l4())"],
  ["ct(zone=1)", "conntrack zones"],
  ["ct(commit)", undefined],
  // Wrong for every kernel: no kernel's lack.
  ["set(udp(src=1)),drop(1)", undefined],
])("%s: %s", (actions, feature) => {
  const { parts } = Flow.parse(`${IPV4} ${actions}`);
  const explain = (errno: number, features = OLD): Rejection =>
    explainRejection("put", errno, { sent: parts, features: () => features });
  const { code, missing, reason } = explain(EINVAL);
  expect(missing?.feature).toBe(feature);
  expect(code).toBe(feature === undefined ? "EINVAL" : "NOT_SUPPORTED");
  if (missing !== undefined) expect(reason).toEndWith(`(needs Linux ${missing.since})`);
  expect(explain(EINVAL, ALL_FEATURES)).toMatchObject({ code: "EINVAL" });
  expect(explain(EINVAL, ALL_FEATURES).missing).toBeUndefined();
  expect(explain(ENOENT).missing).toBeUndefined();
});

describe("the probe of an action", () => {
  const probed = ACTIONS.flatMap(({ name, type, probe }) =>
    probe === undefined ? [] : [[name, type, probe] as const],
  );
  test.each(probed)("%s (%i): %s", (name, type, probe) => {
    const line = `${IPV4} ${probe}`;
    expect(verdict(line)).toBeUndefined();
    const { missing } = verdict(line, { ...ALL_FEATURES, actionMax: type - 1 }) ?? {};
    expect(missing?.feature).toBe(name === "drop" ? "action drop(REASON)" : `action ${name}`);
  });

  test("is there for the newest ones", () => {
    expect(probed.at(-1)?.[1]).toBe(NEWEST_ACTION);
  });
});

test.each([...FEATURE_FLAGS])("the probe of the feature %s", (flag) => {
  const line = `${IPV4} ${FEATURE[flag].probe}`;
  expect(verdict(line)).toBeUndefined();
  const { missing } = verdict(line, { ...ALL_FEATURES, [flag]: false }) ?? {};
  expect(missing?.feature).toBe(FEATURE[flag].feature);
});

test("the probe of a key that not every kernel has", () => {
  const probed = KEYS.filter(({ probe }) => probe !== undefined);
  expect(probed.map(({ type }) => type)).toContain(NEWEST_KEY);
  for (const { name, type, probe } of probed) {
    expect(verdict(`${probe} drop`)).toBeUndefined();
    const { missing } = verdict(`${probe} drop`, { ...ALL_FEATURES, keyMax: type - 1 }) ?? {};
    expect(missing?.feature).toBe(`key ${name}()`);
  }
});
