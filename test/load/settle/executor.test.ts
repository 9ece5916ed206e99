import { expect, test } from "bun:test";
import { NO_OWNER, UFID_SIZE } from "../../../src/flow/key/ufid.ts";
import { FlowLineEncoder } from "../../../src/flow/line.ts";
import { hashMatch } from "../../../src/flow/parts.ts";
import { Executor } from "../../../src/load/settle/executor.ts";
import { FollowUps } from "../../../src/load/settle/follow-ups.ts";
import { FoundBy } from "../../../src/load/settle/held-flows.ts";
import { Account } from "../../../src/load/account.ts";
import { OutcomeTable } from "../../../src/load/outcome-table.ts";
import { SendConnection } from "../../../src/load/send/connection.ts";
import { Sender } from "../../../src/load/send/sender.ts";
import { completeBatching } from "../../../src/load/send/batching.ts";
import { type Batch, MessageState } from "../../../src/netlink/batch.ts";
import { OvsChannel } from "../../../src/ovs/channel.ts";
import { FlowRequests } from "../../../src/ovs/flow-requests.ts";
import { EIO, ENOENT, ENOMEM } from "../../../src/sys/errno.ts";
import { SystemCallError } from "../../../src/sys/errors.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
} from "../../../src/uapi/openvswitch.ts";
import { ScriptedDatapath } from "../../ovs/scripted-datapath.ts";
import { loadInto } from "../scripted-load.ts";

const port = (number: number): string => `in_port(${number}),eth()`;

/** What carries out a batch of these lines, which it has not begun yet. */
function executorOf(
  dp: ScriptedDatapath,
  lines: readonly string[],
  ufid = true,
): { connection: SendConnection; executor: Executor; batch: Batch } {
  const batching = completeBatching({
    messagesPerDatagram: 2,
    datagramsPerCall: 32,
    replyCostBytes: 1024,
  });
  const connection = new SendConnection(dp.channel, batching);
  const { batch } = connection;
  const requests = new FlowRequests(dp.family, dp.handle.index, batch);
  const encoder = new FlowLineEncoder({ ufid });
  for (const [i, line] of lines.entries()) {
    const bytes = new TextEncoder().encode(line);
    requests.begin();
    encoder.encode(bytes, 0, bytes.length, i + 1, batch.writer);
    expect(requests.commit(encoder.verb, i + 1)).toBe(true);
  }
  const executor = new Executor({ datapath: dp.handle }, connection, {
    tolerateExisting: false,
  });
  return { connection, executor, batch };
}

/** EMFILE. */
const NO_SOCKET = new SystemCallError("socket", 24, "opening a netlink socket");

const statesOf = (batch: Batch): number[] => [...batch.states.subarray(0, batch.count)];
const { accepted, lost, unsent } = MessageState;

test("what was not sent when the kernel is to be asked no more is never sent", () => {
  using dp = new ScriptedDatapath();
  // Three segments: each delete looks for what the line before it made.
  const lines = [1, 2, 3].flatMap((number) => [`${port(number)} 1`, `delete ${port(number)}`]);
  const { connection, executor, batch } = executorOf(dp, lines);
  // From batches before.
  batch.errnos.fill(ENOENT);
  executor.begin(batch, false);
  // Cut, looked at, sent, and settled: a segment takes four steps, and each ends when its time is up.
  let steps = 0;
  while (dp.requests.length < 1) {
    expect(executor.go(0)).toBe(false);
    expect(++steps).toBeLessThan(8);
  }
  executor.abandon();
  while (!executor.go(0)) expect(++steps).toBeLessThan(16);
  expect(statesOf(batch)).toEqual([accepted, unsent, unsent, unsent, unsent, unsent]);
  expect([...batch.errnos.subarray(0, 6)]).toEqual([0, 0, 0, 0, 0, 0]);
  expect(batch.failures).toBe(5);
  expect(dp.takeCommands()).toEqual(["NEW"]);
  connection.close();
});

test("what is in doubt when the kernel is to be asked no more stays unknown", () => {
  using dp = new ScriptedDatapath();
  dp.hasNoMemory = ({ type }) => type === dp.family;
  const { connection, executor, batch } = executorOf(dp, [`${port(1)} 1`, `${port(2)} 1`]);
  executor.readBack.fill(1);
  executor.begin(batch, false);
  while (dp.requests.length < 2) expect(executor.go(0)).toBe(false);
  executor.abandon();
  expect(executor.go(Number.POSITIVE_INFINITY)).toBe(true);
  expect(statesOf(batch)).toEqual([lost, lost]);
  expect([...executor.readBack.subarray(0, 2)]).toEqual([0, 0]);
  expect(dp.requests.length).toBe(2);
  connection.close();
});

/** What sends these lines, which it has not begun yet; their ends go to the table. */
function senderOf(dp: ScriptedDatapath, lines: readonly string[], table: OutcomeTable): Sender {
  const target = { datapath: dp.handle };
  const batching = completeBatching({ replyCostBytes: 1024 });
  const options = { batching, senders: 1, tolerate: new Set([ENOENT]) } as const;
  const sender = new Sender(target, new Account(undefined, table), options);
  const encoder = new FlowLineEncoder({ ufid: true });
  for (const [i, line] of lines.entries()) {
    const bytes = new TextEncoder().encode(line);
    encoder.encode(bytes, 0, bytes.length, i + 1, sender.requests.begin());
    expect(sender.requests.commit(encoder.verb, i + 1)).toBe(true);
  }
  sender.account.take(sender.requests.batch, []);
  return sender;
}

test("a load that is given up tolerates no delete that was not looked for, and refuses what it did not send", () => {
  using dp = new ScriptedDatapath();
  const table = new OutcomeTable();
  const lines = [`delete ${port(1)}`, `${port(2)} 1`, `delete ${port(2)}`];
  using sender = senderOf(dp, lines, table);
  while (dp.flows.length === 0) expect(sender.send(sender.requests, 0)).toBe(false);
  sender.abandon();
  while (!sender.send(sender.requests, 0));
  expect(lines.map((_, i) => `${table.stateOf(i)} ${table.errnoOf(i)}`)).toEqual([
    `rejected ${ENOENT}`,
    "applied 0",
    "refused 0",
  ]);
});

test.each([
  [
    "by a socket of its own",
    (dp: ScriptedDatapath) => {
      let opened = 0;
      // That of the load comes first.
      dp.channel.openSocket = (...args) => {
        if (++opened > 1) throw NO_SOCKET;
        return OvsChannel.prototype.openSocket.apply(dp.channel, args);
      };
    },
    `unknown ${EIO}`,
    `rejected ${EIO}`,
  ],
  [
    "of its family",
    (dp: ScriptedDatapath) => {
      dp.channel.familyMoved = () => {
        throw NO_SOCKET;
      };
    },
    "applied",
    `unknown ${EIO}`,
  ],
  [
    "of its family once more",
    (dp: ScriptedDatapath) => {
      let asked = 0;
      dp.channel.familyMoved = () => {
        if (++asked > 2) throw NO_SOCKET;
        return false;
      };
    },
    "applied",
    `unknown ${EIO}`,
  ],
])("where the kernel cannot be asked %s, every line is accounted for", (_, deafen, met, gone) => {
  using dp = new ScriptedDatapath();
  expect(loadInto(dp, [`${port(1)} 1`]).report.applied).toBe(1);
  deafen(dp);
  // Puts are sent at once, and what was in the way of one is looked at afterwards.
  const puts = loadInto(dp, [`${port(1)} 2`, `${port(2)} 1`]);
  expect([puts.report.ended, ...puts.ends]).toEqual(["complete", met, "applied"]);
  deafen(dp);
  const tolerate = [ENOENT];
  const others = loadInto(dp, [`modify ${port(3)} 3`, `delete ${port(4)}`], { tolerate });
  expect(others.ends).toEqual([gone, gone]);
  expect(dp.flows.length).toBe(2);
});

test("failures that are told in slices are each told once", () => {
  using dp = new ScriptedDatapath();
  const lines = Array.from({ length: 100 }, (_, i) => `modify ${port(i + 1)} 1`);
  using sender = senderOf(dp, lines, new OutcomeTable());
  let slices = 1;
  while (!sender.send(sender.requests, 0)) expect(++slices).toBeLessThan(50);
  expect(slices).toBeGreaterThan(100 / 16);
  expect(sender.account.counts).toMatchObject({ applied: 0, rejected: 100 });
});

test("a batch whose requests grow beyond the arena is sent in parts, each once", () => {
  using dp = new ScriptedDatapath();
  // 50 requests of 4,092 bytes fill an arena of 204,800; each is 20 bytes longer with the hash that names it.
  const actions = Array.from({ length: 503 }, () => "1").join(",");
  const lines = Array.from({ length: 50 }, (_, i) => `${port(i + 1)} ${actions}`);
  expect(loadInto(dp, lines).report.applied).toBe(50);
  dp.requests.length = 0;
  const others = lines.map((line) => `modify ${line.replace(/1$/, "2")}`);
  const { connection, executor, batch } = executorOf(dp, others, false);
  expect(batch.bytes).toBeGreaterThan(connection.batch.memory.size - 50 * 20);
  executor.begin(batch, false);
  expect(executor.go(Number.POSITIVE_INFINITY)).toBe(true);
  expect(statesOf(batch)).toEqual(Array(50).fill(accepted));
  expect(dp.takeCommands()).toEqual(Array(50).fill("SET"));
  // Each has them whole: 502 times port 1, then port 2.
  const whole = `${"0800010001000000".repeat(502)}0800010002000000`;
  expect(dp.flows.filter((flow) => flow.actions.toHex() !== whole)).toEqual([]);
  connection.close();
});

test("more names than a round of reads holds are read in two", () => {
  using dp = new ScriptedDatapath();
  const options = Array.from(
    { length: 12 },
    (_, i) => `{class=0x${i},type=0x1,len=16,0x${"ab".repeat(16)}}`,
  );
  const tunnel = `tunnel(tun_id=0x1,src=1.1.1.1,dst=2.2.2.2,ttl=64,geneve(${options.join("")}),flags(key))`;
  const lines = Array.from(
    { length: 700 },
    (_, i) =>
      `${tunnel},in_port(${i + 1}),eth(),eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,frag=no) 1`,
  );
  expect(loadInto(dp, lines, { ufid: false, flowsPerBatch: 4096 }).report.applied).toBe(700);
  const { ends, report } = loadInto(
    dp,
    lines.map((line) => `modify ${line.replace(/1$/, "2")}`),
    { ufid: false, flowsPerBatch: 4096 },
  );
  expect(new Set(ends)).toEqual(new Set(["applied"]));
  expect(report.reads).toBe(700);
});

test("actions that are longer than a reply of many reads are compared all the same", () => {
  using dp = new ScriptedDatapath();
  const actions = Array.from({ length: 400 }, () => "1").join(",");
  const lines = [`${port(1)} ${actions}`, `${port(2)} ${actions}`];
  expect(loadInto(dp, lines).ends).toEqual(["applied", "applied"]);
  dp.requests.length = 0;
  const changed = [lines[0] ?? "", `${port(2)} ${actions.replace(/1$/, "2")}`];
  expect(loadInto(dp, changed).ends).toEqual(["applied", "applied"]);
  expect(dp.takeCommands()).toEqual(["NEW", "NEW", "SET"]);
});

test("a modify without a key, by the hash of none, finds no flow", () => {
  using dp = new ScriptedDatapath();
  const { connection, executor, batch } = executorOf(dp, []);
  // As a flow set may have it.
  const nothing = { start: 0, end: 0 };
  const hash = new Int32Array(UFID_SIZE / 4);
  expect(hashMatch({ bytes: new Uint8Array(0), key: nothing, mask: nothing }, hash, 0)).toBe(true);
  const requests = new FlowRequests(dp.family, dp.handle.index, batch);
  requests.begin();
  batch.writer.bytes(OVS_FLOW_ATTR_UFID, new Uint8Array(hash.buffer));
  for (const type of [OVS_FLOW_ATTR_KEY, OVS_FLOW_ATTR_MASK, OVS_FLOW_ATTR_ACTIONS]) {
    batch.writer.bytes(type, new Uint8Array(0));
  }
  expect(requests.commit("modify", 1)).toBe(true);
  executor.begin(batch, false);
  expect(executor.go(Number.POSITIVE_INFINITY)).toBe(true);
  expect([batch.states[0], batch.errnos[0]]).toEqual([MessageState.rejected, ENOENT]);
  connection.close();
});

test("no request is made of one without a key: as a delete it might be a flush", () => {
  using dp = new ScriptedDatapath();
  const { connection, batch } = executorOf(dp, []);
  const requests = new FlowRequests(dp.family, dp.handle.index, batch);
  requests.begin();
  batch.writer.bytes(OVS_FLOW_ATTR_UFID, new Uint8Array(UFID_SIZE));
  expect(requests.commit("delete", 1)).toBe(true);
  const followUps = new FollowUps(
    requests.in(connection.followUps),
    connection.transactor,
    NO_OWNER,
  );
  for (const by of Object.values(FoundBy)) {
    for (const verb of ["modify", "delete"] as const) {
      expect(() => followUps.act(batch, 0, verb, by)).toThrow("a request has a key");
    }
  }
  connection.close();
});

test("a put that was carried out, and whose flow was changed meanwhile, is not told as rejected", () => {
  using dp = new ScriptedDatapath();
  let isLost = false;
  dp.hasNoMemory = ({ type, bytes }) => {
    const isFirst = !isLost && type === dp.family && bytes[16] === OVS_FLOW_CMD_NEW;
    isLost ||= isFirst;
    return isFirst;
  };
  dp.refuse = ({ command }) => {
    for (const flow of dp.flows) dp.table.setActions(flow, new Uint8Array(0));
    return command === OVS_FLOW_CMD_SET ? ENOMEM : undefined;
  };
  expect(loadInto(dp, [`${port(1)} 2`]).ends).toEqual([`absent ${EIO}`]);
  expect(dp.takeCommands()).toEqual(["NEW", "SET"]);
});
