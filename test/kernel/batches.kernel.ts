import { expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import { TestDatapath } from "./lab.ts";

/*
 * What was found out about the requests of one batch says nothing of those of the next one, which have the
 * same places.
 */

const ip = (src: string): string => `in_port(1),eth(),eth_type(0x0800),ipv4(src=${src},frag=no)`;
const NARROW = ip("10.1.0.0/16");
const WIDE = ip("10.0.0.0/8");
const HELD = ip("192.168.0.1");
const GIVEN = "ufid:01020304-0506-0708-090a-0b0c0d0e0f10";

/** Three flows a batch. */
const SHAPE = { messagesPerDatagram: 1, datagramsPerCall: 3 } as const;

test("a put that a later one of its batch made good for is another one's in the next batch", async () => {
  using dp = new TestDatapath("batches0");
  using opened = Datapath.open(dp.name);
  opened.put(`${WIDE} 1`);
  opened.put(`${HELD} 1`);
  const batches = [
    [`${NARROW} 1`, `delete ${WIDE}`, `${NARROW} 2`],
    [`${HELD} 2`, `${ip("192.168.0.2")} 1`, `${ip("192.168.0.3")} 1`],
  ];
  const result = await opened.load(batches.flat(), { shape: SHAPE });
  expect(result.report.batches).toBe(2);
  expect(batches.flat().map((_, i) => result.stateOf(i))).toEqual([
    "rejected",
    ...Array.from({ length: 5 }, () => "applied" as const),
  ]);
  expect(opened.get(HELD)?.toString()).toEndWith("actions:2");
  expect(opened.get(NARROW)?.toString()).toEndWith("actions:2");
});

test("a flow that is in one batch's way is not named for the next batch", async () => {
  using dp = new TestDatapath("batches1");
  using opened = Datapath.open(dp.name);
  opened.put(`${GIVEN} ${HELD} 1`);
  opened.put(`${NARROW} 1`);
  const other = [2, 3, 4, 5].map((last) => `${ip(`192.168.0.${last}`)} 1`);
  const [a = "", b = "", c = "", d = ""] = other;
  const lines = [`${GIVEN} ${ip("172.16.0.1")} 1`, a, b, `add ${NARROW} 1`, c, d];
  const result = await opened.load(lines, { shape: SHAPE });
  const [first, second] = result.report.errors;
  expect([first?.line, second?.line, result.report.batches]).toEqual([1, 4, 2]);
  expect(first?.reason).toContain("its UFID is that of another flow");
  expect(second?.reason).not.toContain("UFID");
});
