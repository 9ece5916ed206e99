import { describe, expect, test } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { ConnectionCache } from "../../src/load/send/connection.ts";
import { dumpFlows } from "../../src/ovs/flow.ts";
import { EEXIST, EIO, ENODEV, ENOENT, ENOMEM, EPERM, ESTALE } from "../../src/sys/errno.ts";
import {
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_GET,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
} from "../../src/uapi/openvswitch.ts";
import { ScriptedDatapath } from "../ovs/scripted-datapath.ts";
import { loadInto } from "./scripted-load.ts";

const ip = (src: string): string => `in_port(100),eth(),eth_type(0x0800),ipv4(src=${src},frag=no)`;
const port = (number: number): string => `in_port(${number}),eth()`;
const NARROW = ip("10.1.0.0/255.255.0.0");
const WIDE = ip("10.0.0.0/255.0.0.0");
const GIVEN = "ufid:01020304-0506-0708-090a-0b0c0d0e0f10";

/** Actions of each flow that is there, by its key. */
function held(dp: ScriptedDatapath): Record<string, string> {
  const found: Record<string, string> = {};
  for (const view of dumpFlows(dp.handle)) {
    const text = Flow.fromParts(view).toString();
    const [, key = "", actions = ""] =
      /^(?:ufid:\S+, )?(.*?), (?:packets:.*, )?actions:(.*)$/.exec(text) ?? [];
    found[key] = actions;
  }
  return found;
}

/** A datapath that holds these flows. */
function holding(lines: readonly string[], ufid = true): ScriptedDatapath {
  const dp = new ScriptedDatapath();
  const { report } = loadInto(dp, lines, { ufid });
  expect(report.applied).toBe(lines.length);
  dp.requests.length = 0;
  return dp;
}

const applied = (count: number): string[] => Array.from({ length: count }, () => "applied");

describe("a batch", () => {
  test("knows nothing of puts that were made good for in the one before", () => {
    using dp = holding([`${WIDE} 1`, `${ip("192.168.0.1")} 1`]);
    const lines = [`${NARROW} 1`, `delete ${WIDE}`, `${NARROW} 2`, `${port(9)} 1`];
    const next = [2, 3, 4].map((last) => `${ip(`192.168.0.${last}`)} 1`);
    const { ends } = loadInto(dp, [...lines, `${ip("192.168.0.1")} 2`, ...next], {
      flowsPerBatch: 4,
    });
    expect(ends).toEqual([`rejected ${EEXIST}`, ...applied(7)]);
    expect(held(dp)[ip("192.168.0.1")]).toBe("2");
  });

  test("lets a put that was refused not change what a later one made, by another name", () => {
    const hash = Flow.parse(`${NARROW} 1`).ufid;
    for (const [ufid, first, later] of [
      [false, `${NARROW} 1`, `ufid:${hash} ${NARROW} 2`],
      [false, `ufid:${hash} ${NARROW} 1`, `${NARROW} 2`],
      [true, `${NARROW} 1`, `${GIVEN} ${NARROW} 2`],
      [true, `${GIVEN} ${NARROW} 1`, `${NARROW} 2`],
    ] as const) {
      using dp = holding([`${WIDE} 1`], ufid);
      const { ends } = loadInto(dp, [first, `delete ${WIDE}`, later], { ufid });
      expect(ends).toEqual([`rejected ${EEXIST}`, "applied", "applied"]);
      expect(held(dp)).toEqual({ [NARROW]: "2" });
    }
  });

  test("looks for a flow without a UFID anew behind a put that gives another one its hash", () => {
    const hash = Flow.parse(`${NARROW} 1`).ufid;
    using dp = holding([`${NARROW} 1`]);
    const lines = [`delete ufid:${hash} ${NARROW}`, `ufid:${hash} ${port(7)} 2`];
    const { ends } = loadInto(dp, [...lines, `modify ${NARROW} 3`], { ufid: false });
    expect(ends).toEqual(["applied", "applied", `rejected ${ENOENT}`]);
    expect(held(dp)).toEqual({ [port(7)]: "2" });
  });

  test("names no flow that was in the way of the one before", () => {
    using dp = holding([`${GIVEN} ${ip("192.168.0.1")} 1`, `${NARROW} 1`]);
    const puts = [2, 3, 4, 5, 6, 7].map((last) => `${ip(`192.168.0.${last}`)} 1`);
    const lines = [`${GIVEN} ${ip("172.16.0.1")} 1`, ...puts.slice(0, 3)];
    const { report } = loadInto(dp, [...lines, `add ${NARROW} 1`, ...puts.slice(3)], {
      flowsPerBatch: 4,
    });
    const [first, second] = report.errors;
    expect([first?.line, second?.line]).toEqual([1, 5]);
    expect(first?.reason).toContain("its UFID is that of another flow");
    expect(second?.reason).not.toContain("UFID");
  });

  test("tells a flow that is there by another name from one that overlaps it", () => {
    using dp = holding([`${GIVEN} ${port(1)} 1`, `${WIDE} 1`]);
    for (const verb of ["", "add "]) {
      const { ends, report } = loadInto(dp, [`${verb}${port(1)} 2`, `${verb}${NARROW} 2`]);
      expect(ends).toEqual([`rejected ${EEXIST}`, `rejected ${EEXIST}`]);
      const [same, other] = report.errors.map(({ reason }) => reason);
      expect(same).toBe(`the flow is there, and named otherwise: ${GIVEN} ${port(1)}`);
      expect(other).toMatch(
        /overlaps .* come first\): ufid:[0-9a-f-]+ in_port\(100\).*src=10\.0\.0\.0\/255\.0\.0\.0/,
      );
    }
    expect(held(dp)).toEqual({ [port(1)]: "1", [WIDE]: "1" });
  });

  test("is sent no further where the kernel takes no flow any more, and all lines are told", () => {
    for (const errno of [ENODEV, EPERM]) {
      using dp = holding([`${port(1)} 1`, `${port(2)} 1`]);
      let changes = 0;
      dp.refuse = ({ command }) =>
        command !== OVS_FLOW_CMD_GET && ++changes > 2 ? errno : undefined;
      // The flow of the last delete is created by an earlier line: it is of another segment.
      const lines = [`modify ${port(1)} 2`, `${port(3)} 1`, `${port(4)} 1`, `delete ${port(4)}`];
      const { ends, report } = loadInto(dp, [...lines, `${port(5)} 1`], { flowsPerBatch: 5 });
      expect(ends).toEqual(["applied", "applied", ...Array(3).fill(`rejected ${errno}`)]);
      expect([report.ended, changes]).toEqual(["fatal", 3]);
    }
  });

  test("of flows that are there is looked at first, next time, and what is there is not sent", () => {
    const lines = Array.from({ length: 24 }, (_, i) => `${port(i + 1)} 1`);
    using dp = holding(lines);
    expect(loadInto(dp, lines).ends).toEqual(applied(24));
    // Those of the first batch went out to be refused.
    expect(dp.takeCommands()).toEqual(Array(8).fill("NEW"));
    const changed = lines.map((line, i) => (i === 20 ? line.replace(/1$/, "2") : line));
    expect(loadInto(dp, changed).ends).toEqual(applied(24));
    expect(dp.takeCommands()).toEqual([...Array(8).fill("NEW"), "SET"]);
    expect(held(dp)[port(21)]).toBe("2");
  });

  test("that is looked at first holds flows that are not there, twice, and in the way of others", () => {
    const there = Array.from({ length: 8 }, (_, i) => `${port(i + 1)} 1`);
    using dp = holding([...there, `${GIVEN} ${ip("10.0.0.1")} 1`, `${ip("11.0.0.0/255.0.0.0")} 1`]);
    const lines = [
      ...there,
      `${GIVEN} ${ip("10.0.0.2")} 1`,
      `${ip("11.0.0.1")} 1`,
      `${port(20)} 1`,
      `${port(20)} 2`,
      `add ${port(20)} 2`,
      `add ${port(21)} 2`,
      `${port(1)} 2`,
      `${port(2)} 1`,
    ];
    const { ends, report } = loadInto(dp, lines, { tolerate: [EEXIST] });
    const exists = `rejected ${EEXIST}`;
    expect(ends).toEqual([...applied(8), exists, exists, ...applied(6)]);
    // 8 that the first batch met; then 6 puts, 2 of them by their keys, too; one that was refused all the same, by
    // both; and an add. What was found in the way is not looked at again.
    expect(report.reads).toBe(19);
    expect([held(dp)[port(20)], held(dp)[port(1)]]).toEqual(["2", "2"]);
  });

  test("with a flow twice ends with its last actions, be they those that were there", () => {
    using dp = holding([`${port(1)} 2`]);
    expect(loadInto(dp, [`${port(1)} 1`, `${port(1)} 2`]).ends).toEqual(applied(2));
    expect(held(dp)).toEqual({ [port(1)]: "2" });
  });

  test("that is looked at first does not send what is in the way of a flow without a UFID", () => {
    const there = Array.from({ length: 8 }, (_, i) => `${port(i + 1)} 1`);
    using dp = holding([...there, `${WIDE} 1`], false);
    const lines = [...there, `${ip("10.0.0.0/255.255.0.0")} 1`];
    const { ends } = loadInto(dp, lines, { ufid: false });
    expect(ends).toEqual([...applied(8), `rejected ${EEXIST}`]);
    expect(dp.takeCommands()).toEqual(Array(8).fill("NEW"));
  });

  test("says of no flow that its UFID is another one's where its key is", () => {
    using dp = holding([`${WIDE} 1`], false);
    const { report } = loadInto(dp, [`delete ${ip("10.0.0.0/255.255.0.0")}`]);
    expect([report.rejected, report.errors[0]?.reason]).toEqual([1, "there is no such flow"]);
  });

  test("changes a flow by the hash that its owner gives it, where its requests have no UFID", () => {
    using dp = new ScriptedDatapath();
    expect(loadInto(dp, [`${port(1)} 1`], { owner: "a" }).ends).toEqual(applied(1));
    const lines = [`modify ${port(1)} 2`, `delete ${port(1)}`];
    expect(loadInto(dp, lines, { owner: "a", ufid: false }).ends).toEqual(applied(2));
    expect(held(dp)).toEqual({});
  });

  test("of which a put is refused, but for no other flow, reads nothing", () => {
    using dp = holding([`${port(1)} 1`]);
    dp.refuse = ({ command }) => (command === OVS_FLOW_CMD_NEW ? ENOMEM : undefined);
    const { ends, report } = loadInto(dp, [`${port(1)} 1`]);
    expect([ends, report.reads]).toEqual([[`rejected ${ENOMEM}`], 0]);
  });

  test("of adds reads nothing where nothing is tolerated", () => {
    using dp = holding([`${port(1)} 1`]);
    expect(loadInto(dp, [`add ${port(1)} 1`, `add ${port(2)} 1`]).report.reads).toBe(0);
    expect(loadInto(dp, [`add ${port(1)} 1`], { tolerate: [EEXIST] }).report.reads).toBe(1);
    // One with other actions is not tolerated, and not changed.
    expect(loadInto(dp, [`add ${port(1)} 2`], { tolerate: [EEXIST] }).ends).toEqual([
      `rejected ${EEXIST}`,
    ]);
    expect(held(dp)[port(1)]).toBe("1");
  });
});

describe("a flow that could not be read", () => {
  /** Refuses reads of all kinds, and lets changes be. */
  function blind(dp: ScriptedDatapath): void {
    dp.refuse = ({ command }) => (command === OVS_FLOW_CMD_GET ? ENOMEM : undefined);
  }

  test("is not changed", () => {
    using dp = holding([`${port(1)} 1`]);
    blind(dp);
    const { ends } = loadInto(dp, [`modify ${port(1)} 2`, `delete ${port(1)}`]);
    expect(ends).toEqual([`rejected ${EIO}`, `rejected ${EIO}`]);
    expect(dp.takeCommands()).toEqual([]);
  });

  test("and is in the way of a put, leaves that unknown", () => {
    using dp = holding([`${port(1)} 1`]);
    blind(dp);
    expect(loadInto(dp, [`${port(1)} 2`]).ends).toEqual([`unknown ${EIO}`]);
    expect(dp.takeCommands()).toEqual(["NEW"]);
  });

  test("where puts are looked at first, lets them be sent", () => {
    const lines = Array.from({ length: 16 }, (_, i) => `${port(i + 1)} 1`);
    using dp = holding(lines.slice(0, 8));
    let reads = 0;
    dp.refuse = ({ command }) => (command === OVS_FLOW_CMD_GET && ++reads > 8 ? ENOMEM : undefined);
    expect(loadInto(dp, lines).ends).toEqual(applied(16));
  });
});

describe("a reply that was lost", () => {
  /** The kernel has no memory for the reply to this command on the load's socket, the first time. */
  function loseFirst(dp: ScriptedDatapath, command: number): void {
    let left = 1;
    dp.hasNoMemory = ({ bytes }) => bytes[16] === command && left-- > 0;
  }

  test("of a put that met its flow: its actions are set, and it is told as present", () => {
    using dp = holding([`${port(1)} 1`]);
    loseFirst(dp, OVS_FLOW_CMD_NEW);
    expect(loadInto(dp, [`${port(1)} 2`]).ends).toEqual(["present"]);
    expect(dp.takeCommands()).toEqual(["NEW", "SET"]);
    expect(held(dp)).toEqual({ [port(1)]: "2" });
  });

  test("of an add that met its flow: it is not changed, and told as absent", () => {
    using dp = holding([`${port(1)} 1`]);
    loseFirst(dp, OVS_FLOW_CMD_NEW);
    expect(loadInto(dp, [`add ${port(1)} 2`]).ends).toEqual([`absent ${EIO}`]);
    expect(held(dp)).toEqual({ [port(1)]: "1" });
  });

  test("of what cannot be read back: it stays unknown", () => {
    for (const line of [`${port(1)} 2`, `modify ${port(2)} 2`, `delete ${port(2)}`]) {
      using dp = holding([`${port(2)} 1`]);
      loseFirst(
        dp,
        line.startsWith("modify")
          ? OVS_FLOW_CMD_SET
          : line.startsWith("delete")
            ? OVS_FLOW_CMD_DEL
            : OVS_FLOW_CMD_NEW,
      );
      let changes = 0;
      dp.refuse = ({ command }) => {
        if (command !== OVS_FLOW_CMD_GET) changes++;
        return command === OVS_FLOW_CMD_GET && changes > 0 ? ENOMEM : undefined;
      };
      expect(loadInto(dp, [line]).ends).toEqual([`unknown ${EIO}`]);
    }
  });

  test("of a modify: it is read back, and not made again", () => {
    using dp = holding([`${port(1)} 1`]);
    loseFirst(dp, OVS_FLOW_CMD_SET);
    expect(loadInto(dp, [`modify ${port(1)} 2`]).ends).toEqual(["present"]);
    expect(dp.takeCommands()).toEqual(["SET"]);
  });

  test("of a delete: it is absent, as was asked for", () => {
    using dp = holding([`${port(1)} 1`]);
    loseFirst(dp, OVS_FLOW_CMD_DEL);
    expect(loadInto(dp, [`delete ${port(1)}`]).ends).toEqual(["absent"]);
    expect(dp.takeCommands()).toEqual(["DEL"]);
  });

  test("of a delete that was not carried out: it is present, which was not asked for", () => {
    using dp = holding([`${port(1)} 1`]);
    loseFirst(dp, OVS_FLOW_CMD_DEL);
    dp.refuse = ({ command }) => (command === OVS_FLOW_CMD_DEL ? ENOMEM : undefined);
    expect(loadInto(dp, [`delete ${port(1)}`]).ends).toEqual([`present ${EIO}`]);
  });

  test("of the request that sets the actions of a put's flow: it is read back", () => {
    using dp = holding([`${port(1)} 1`]);
    loseFirst(dp, OVS_FLOW_CMD_SET);
    expect(loadInto(dp, [`${port(1)} 2`]).ends).toEqual(["present"]);
    expect(dp.takeCommands()).toEqual(["NEW", "SET"]);
    loseFirst(dp, OVS_FLOW_CMD_SET);
    dp.refuse = ({ command }) => (command === OVS_FLOW_CMD_SET ? ENOMEM : undefined);
    expect(loadInto(dp, [`${port(1)} 1`]).ends).toEqual([`absent ${EIO}`]);
  });
});

describe("a delete that may find nothing", () => {
  test("is applied where its flow is nowhere, and rejected where it is there by another name", () => {
    using dp = holding([`${GIVEN} ${port(1)} 1`]);
    const lines = [`delete ${port(1)}`, `delete ${port(1)}`, `delete ${port(2)}`];
    const tolerate = [ENOENT];
    const { ends, report } = loadInto(dp, lines, { tolerate });
    const nothing = `rejected ${ENOENT}`;
    expect(ends).toEqual([nothing, nothing, "applied"]);
    expect(report.errors[0]?.reason).toContain(`named otherwise: ${GIVEN}`);
    expect(held(dp)).toEqual({ [port(1)]: "1" });
    // What was found for one batch is not found for the next one.
    expect(loadInto(dp, lines, { tolerate, flowsPerBatch: 2 }).ends).toEqual(ends);
    expect(
      loadInto(dp, [lines[0] ?? "", `delete ${port(2)}`], { tolerate, flowsPerBatch: 1 }).ends,
    ).toEqual([nothing, "applied"]);
    expect(loadInto(dp, [`delete ${port(2)}`]).ends).toEqual([nothing]);
    expect(loadInto(dp, [`modify ${port(2)} 1`], { tolerate }).ends).toEqual([nothing]);
  });

  test("is not applied where no dump is without doubt", () => {
    using dp = holding([`${GIVEN} ${port(1)} 1`, `${port(2)} 1`]);
    let dumps = 0;
    dp.onDump = (flows) => (dumps++, flows.slice(1));
    const lines = [`delete ${port(1)}`];
    const { ends, report } = loadInto(dp, lines, { tolerate: [ENOENT] });
    expect([ends, dumps]).toEqual([[`rejected ${ENOENT}`], 3]);
    expect(report.errors[0]?.reason).toContain(
      "named otherwise is not known: flows changed during the dump, it may lack some: it has 1; the datapath held 2",
    );
    // What a doubtful dump has is there all the same: in doubt are the others alone.
    dp.onDump = (flows) => [...flows, ...flows.slice(1)];
    const some = loadInto(dp, [...lines, `delete ${port(3)}`], { tolerate: [ENOENT] });
    expect(some.ends).toEqual([`rejected ${ENOENT}`, `rejected ${ENOENT}`]);
    expect(some.report.errors.map(({ reason }) => reason)).toEqual([
      expect.stringContaining(`the flow is there, and named otherwise: ${GIVEN}`),
      expect.stringContaining("is not known: flows changed during the dump"),
    ]);
    expect(some.report.errors[1]?.reason).toContain("1 of them came twice or more");
    // One that is without doubt is enough.
    dp.onDump = (flows) => (++dumps % 3 === 0 ? flows : flows.slice(1));
    const again = loadInto(dp, lines, { tolerate: [ENOENT] });
    expect(again.report.errors[0]?.reason).toContain(`named otherwise: ${GIVEN}`);
    expect(loadInto(dp, [`delete ${port(3)}`], { tolerate: [ENOENT] }).ends).toEqual(applied(1));
  });

  test("finds its flow by its key, or by the hash, and not under another mask", () => {
    const tolerate = [ENOENT];
    using byKey = holding([`${port(1)} 1`, `${NARROW} 1`], false);
    expect(loadInto(byKey, [`delete ${port(1)}`, `delete ${WIDE}`], { tolerate }).ends).toEqual(
      applied(2),
    );
    expect(held(byKey)).toEqual({ [NARROW]: "1" });
    using byHash = holding([`${port(1)} 1`]);
    expect(loadInto(byHash, [`delete ${port(1)}`], { tolerate, ufid: false }).ends).toEqual(
      applied(1),
    );
    expect(byHash.flows).toEqual([]);
    using exact = holding([`${port(1)} 1`], false);
    const { ends } = loadInto(exact, [`delete ${port(1)}`], { exactIdentity: true });
    expect([ends, exact.flows.length]).toEqual([[`rejected ${ENOENT}`], 1]);
  });
});

test.each(["put", "add", "modify", "delete"] as const)(
  "a load of %s into a datapath whose module was loaded anew takes no flow for one that is not there",
  (mode) => {
    const lines = Array.from({ length: 20 }, (_, i) => `${port(i + 1)} 1`);
    using dp = holding(mode === "put" || mode === "add" ? [] : lines);
    let changes = 0;
    dp.refuse = ({ command }) => {
      if (command !== OVS_FLOW_CMD_GET && ++changes === 9) dp.kernel.families.renumber();
      return undefined;
    };
    const { report, ends } = loadInto(dp, lines, { mode, tolerate: [ENOENT, EEXIST] });
    expect(ends).toEqual([...applied(8), ...Array(ends.length - 8).fill(`rejected ${ESTALE}`)]);
    expect([report.ended, ends.length > 8]).toEqual(["fatal", true]);
    expect(report.endReason).toContain("loaded anew");
  },
);

test("a load that ended as it should leaves its socket to the next one, one that did not closes it", () => {
  using dp = new ScriptedDatapath();
  using connections = new ConnectionCache();
  const open = (): number => dp.kernel.portIds().size;
  const before = open();
  loadInto(dp, [`${port(1)} 1`], { connections });
  loadInto(dp, [`${port(2)} 1`], { connections });
  expect(open()).toBe(before + 1);
  dp.refuse = ({ command }) => (command === OVS_FLOW_CMD_SET ? ENODEV : undefined);
  expect(loadInto(dp, [`${port(1)} 2`], { connections }).report.ended).toBe("fatal");
  // With that by which it read what became of its flow.
  expect(open()).toBe(before);
});
