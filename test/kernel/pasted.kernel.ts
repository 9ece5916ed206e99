import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath } from "../../src/index.ts";
import { handleOf } from "../../src/ovs/datapath.ts";
import { addPort } from "../../src/ovs/vport.ts";
import { FRAMES } from "./frames.ts";
import { IS_UML, NO_DPCTL, millrace, TestDatapath, witness } from "./lab.ts";
import { rawFlows } from "./language/raw.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";
import { NO_VSWITCHD, Vswitchd } from "./vswitchd.ts";

/** Lines of real dumps, if they are available beside the project. */
const REAL = join(import.meta.dir, "../../../shared/cases/dumps.txt");

/** What no kernel of the lab can hold of them, or no kernel at all. */
const NOT_HELD: readonly (readonly [RegExp, RegExp])[] = [
  // A word of an older Open vSwitch: nobody knows its bit.
  [/slow_path\(controller\)/, /found "controller"/],
  [/userspace\(pid=0,/, /the port id must be there, and not be 0/],
];

/** Lines as in plain dumps: each lacks something that the kernel requires. */
const PLAIN: readonly string[] = [
  "recirc_id(0x1),tunnel(tun_id=0x1,src=10.1.1.1,dst=10.1.1.2,tp_dst=6081,flags(+key)),in_port(1),eth(),eth_type(0x1234), packets:1, bytes:2, used:0.1s, actions:1",
  "recirc_id(0x2),tunnel(tun_id=0x1,ipv6_src=::1,flags(+key)),in_port(1),eth(),eth_type(0x1234), packets:1, bytes:2, used:0.1s, actions:1",
  "recirc_id(0x3),in_port(1),eth(),eth_type(0x0800), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0x4),in_port(1),eth(),eth_type(0x86dd), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0x5),in_port(1),eth(),eth_type(0x0806), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0x6),in_port(1),eth(),eth_type(0x8847), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0x7),in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no), packets:1, bytes:2, used:never, flags:S, actions:2",
  "recirc_id(0x8),in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(dst=80), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0x9),in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp_flags(ack), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0xa),in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0xb),in_port(1),eth(),eth_type(0x0800),ipv4(proto=132,frag=no), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0xc),in_port(1),eth(),eth_type(0x0800),ipv4(proto=1,frag=no), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0xd),in_port(1),eth(),eth_type(0x86dd),ipv6(proto=58,frag=no), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0xe),in_port(1),eth(),eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6(type=135), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0xf),in_port(1),eth(),eth_type(0x8100),vlan(vid=5,pcp=0),encap(eth_type(0x0800),ipv4(proto=6,frag=no)), packets:1, bytes:2, used:never, actions:2",
  "recirc_id(0x10),in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.2/0.0.0.0,proto=6/0,frag=no), packets:0, bytes:0, used:never, actions:2",
  "recirc_id(0x11),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no), packets:1, bytes:60, used:0.000s, actions:2",
];

test("lines of a plain dump lack what the kernel requires: they load, and the report counts them", () => {
  using dp = new TestDatapath("pas0");
  const path = join(tmpdir(), "plain.txt");
  writeFileSync(path, PLAIN.map((line) => `${line}\n`).join(""));
  const { exitCode, stdout } = millrace(["load", path, "--dp", dp.name, "--json"]);
  const report: unknown = JSON.parse(stdout);
  // The last one has all that its key wants, once it is Ethernet.
  expect(report).toMatchObject({ applied: PLAIN.length, rejected: 0, completed: PLAIN.length - 1 });
  expect(exitCode).toBe(0);
  const said = millrace(["load", path, "--dp", dp.name]).stdout;
  expect(said).toContain(`completed ${PLAIN.length - 1} lines`);
  // Without the signs of a dump they are refused, and the reason says what would do.
  using opened = Datapath.open(dp.name);
  const strict = PLAIN.slice(0, -1).map((line) => line.replace(/, packets:.*actions:/, " "));
  const refused = opened.loadSync(
    strict.map((line) => line.replace(/recirc_id\(0x/, "recirc_id(0x1")),
  );
  expect(refused.rejected).toBe(strict.length);
  expect(refused.errorOf(0)?.message).toContain("ttl=0/0");
  expect(refused.errorOf(4)?.message).toContain("even if only as arp()");
});

testUnless(existsSync(REAL) ? undefined : "the dumps of reports are not here")(
  "lines of real dumps that a kernel could hold load",
  () => {
    using dp = new TestDatapath("pas1");
    using opened = Datapath.open(dp.name);
    const lines = readFileSync(REAL, "utf8").trim().split("\n");
    const names = new Set(
      lines.flatMap((line) =>
        [...line.matchAll(/in_port\(([^)]*)\)|(?:actions:|\),)([\w-]+)(?=$|, dp-extra)/g)].map(
          ([, port, output]) => port ?? output ?? "",
        ),
      ),
    );
    for (const name of names) {
      if (/^(?:\d+|drop)$/.test(name) || opened.ports().some((port) => port.name === name))
        continue;
      addPort(dp.handle, name, { type: "internal" });
    }
    const wrong: string[] = [];
    for (const line of lines) {
      opened.flush();
      const error = opened.loadSync([line]).errorOf(0);
      const expected = NOT_HELD.find(([pattern]) => pattern.test(line))?.[1];
      // User Mode Linux has no conntrack zones, of which most of these have one.
      const isLacking = IS_UML && /this kernel has no conntrack zones/.test(error?.message ?? "");
      if (isLacking || (expected === undefined && error === undefined)) continue;
      if (expected?.test(error?.message ?? "") !== true)
        wrong.push(`${line}\n  ${error?.message ?? "taken"}`);
    }
    expect(wrong).toEqual([]);
    opened.flush();
  },
);

testUnless(NO_VSWITCHD ?? NO_DPCTL)(
  "the flow that ovs-vswitchd makes for two tags loads again to the same bytes",
  async () => {
    using daemon = new Vswitchd();
    witness("ip", "link", "add", "qinq0", "type", "veth", "peer", "name", "qinq1");
    try {
      for (const name of ["qinq0", "qinq1"]) witness("ip", "link", "set", name, "up");
      daemon.configure("add-port", "own-br0", "qinq1");
      using outside = new TestDatapath("pas2");
      using sender = Datapath.open(outside.name);
      const { number } = sender.addPort("qinq0");
      const frame = FRAMES.find(({ name }) => name === "two tags, UDP");
      const packet = frame?.packet ?? new Uint8Array(0);
      const line = await flowOf("eth_type(0x88a8)", () =>
        sender.execute({ packet }, String(number)),
      );
      // Its mask had no ENCAP inside the first tag.
      expect(line.own).toMatch(
        /encap\(eth_type\(0\/0xffff\),vlan\(vid=6,pcp=0\),encap\(eth_type\(0x0800\)/,
      );
      using again = new TestDatapath("pas3");
      using opened = Datapath.open(again.name);
      for (const text of [line.own, line.theirs]) {
        expect(opened.loadSync([text]).applied).toBe(1);
        expect(rawFlows(again.handle)).toEqual([line.raw]);
        opened.flush();
      }
    } finally {
      witness("ip", "link", "del", "qinq0");
    }
  },
);

/** The flow of ovs-vswitchd whose text has `part`, once packets have come: as it is, and as both print it. */
async function flowOf(part: string, send: () => void) {
  using dp = Datapath.open("ovs-system");
  using holder = new TestDatapath("pas4");
  const deadline = performance.now() + limit(30);
  while (performance.now() < deadline) {
    send();
    await Bun.sleep(100);
    const own = [...dp.flows()]
      .map((flow) => flow.toString({ verbose: true }))
      .find((text) => text.includes(part));
    const theirs = witness("ovs-dpctl", "dump-flows", "-m", "--no-names", "ovs-system")
      .split("\n")
      .find((text) => text.includes(part));
    if (own === undefined || theirs === undefined) continue;
    const raw = rawFlows(handleOf(holder.channel, dp.info())).find(({ ufid }) =>
      own.includes(ufidText(ufid)),
    );
    if (raw !== undefined) return { own, theirs, raw };
  }
  throw new Error(`no flow of ${part} came`);
}

/** A UFID as text has it. */
function ufidText(hex: string): string {
  const words =
    hex.match(/.{8}/g)?.map((word) => word.match(/../g)?.toReversed().join("") ?? "") ?? [];
  const digits = words.join("");
  return [0, 8, 12, 16, 20, 32]
    .map((at, i, all) => (i === 0 ? "" : digits.slice(all[i - 1], at)))
    .slice(1)
    .join("-");
}
