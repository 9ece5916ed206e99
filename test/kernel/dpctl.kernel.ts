import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { excerpt } from "../../src/cli/excerpt.ts";
import { runDpctl } from "../../src/cli/dpctl/run.ts";
import { Datapath } from "../../src/index.ts";
import { Links } from "../../src/netlink/link.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { deleteDatapath, listDatapaths } from "../../src/ovs/datapath.ts";
import { dpctlScript, type Line, V4 } from "./dpctl-script.ts";
import { NO_DPCTL, millrace, witness } from "./lab.ts";
import { pingCommand } from "./net.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless } from "../runner/skip.ts";

const LIMIT_MS = limit(600);
setDefaultTimeout(LIMIT_MS);

const folder = mkdtempSync(join(tmpdir(), "dpctl-"));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

type Result = { status: number; out: string; error: string };

async function ours(args: readonly string[]): Promise<Result> {
  const result = { status: -1, out: "", error: "" };
  const text = new TextDecoder();
  result.status = await runDpctl(args, {
    out: (part) => (result.out += typeof part === "string" ? part : text.decode(part)),
    error: (part) => (result.error += part),
  });
  return result;
}

/** Runs all lines in one shell: a start of ovs-dpctl from here costs several times as much. */
function theirs(lines: readonly Line[]): Result[] {
  const at = (index: number, what: string): string => join(folder, `${index}.${what}`);
  const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;
  const script = lines.map(
    ({ args }, i) =>
      `ovs-dpctl ${args.map(quoted).join(" ")} >${at(i, "out")} 2>${at(i, "error")}; echo $? >${at(i, "status")}`,
  );
  witness("sh", file("script", `exec </dev/null\n${script.join("\n")}\n`));
  return lines.map((_, i) => ({
    status: Number(readFileSync(at(i, "status"), "utf8")),
    out: readFileSync(at(i, "out"), "utf8"),
    // The log is not for scripts: it has the time in it.
    error: readFileSync(at(i, "error"), "utf8")
      .split("\n")
      .filter((text) => text.startsWith("ovs-dpctl: "))
      .join("\n"),
  }));
}

function deleteAll(): void {
  using channel = new OvsChannel();
  for (const { name } of listDatapaths(channel)) deleteDatapath(channel, name);
}

/** A device of ERSPAN, which goes with its port. */
function addErspan(): void {
  witness("ip", "link", "add", "erspan_sys", "type", "erspan", "external");
}

const SCRIPT = dpctlScript({
  flows: file("flows", `# a comment\n${V4(101)} 2\nadd ${V4(102)} 2\nmod ${V4(101)} 3\n`),
  again: file("again", `${V4(101)} 4\n`),
  gone: file("gone", `${V4(102)}\ndelete ${V4(101)}\n`),
  missing: join(folder, "missing"),
});

/** Flows, connections and datapaths come in the order of a hash table; all else has an order of its own. */
const sorted = (text: string): string[] => text.split("\n").toSorted();
const isUnordered = (args: readonly string[]): boolean =>
  args.some((word) => word.startsWith("dump-")) || (args.length === 1 && args[0] === "show");

/** Counters that packets move while the test runs. */
const still = (text: string): string =>
  text
    .replace(/missed:\d+ lost:\d+/g, "missed:N lost:N")
    .replace(/([RT]X (?:packets|bytes)):\d+(?: \([^)]*\))?/g, "$1:N");

// What ovs-dpctl says of an error comes first; why, follows.
function expectSaid(said: string, { error: wanted, status }: Result, where: string): void {
  // Ours alone: what ovs-dpctl writes to its log, and the text with a caret below the place.
  const lines = said
    .split("\n")
    .filter((text) => text !== "" && !/^(millrace dpctl: warning: | {4})/.test(text));
  const theirLines = wanted.split("\n").filter((text) => text !== "");
  for (const [index, text] of theirLines.entries()) {
    // In brackets after a colon stands OVS's parser's own reason, and ours in its place.
    const [head = ""] = text
      .replace("ovs-dpctl: ", "millrace dpctl: ")
      .split(/ \(?syntax| \((?:nonsense:|nw|ip)/);
    expect(`${where}: ${lines[index] ?? "nothing"}`).toStartWith(`${where}: ${head}`);
  }
  // What is wrong with a tunnel OVS writes only to its log: a failure of ours always says it.
  const least = status === 0 ? 0 : 1;
  expect([where, lines.length]).toEqual([where, Math.max(theirLines.length, least)]);
}

describeUnless(NO_DPCTL)("millrace dpctl beside ovs-dpctl", () => {
  const wanted: Result[] = [];

  beforeAll(() => {
    // Where the kernel has them as modules: to load one in the middle of a request takes a while.
    for (const name of ["vxlan", "geneve", "ip_gre"]) witness("modprobe", name);
    witness("ip", "link", "add", "dcv0", "type", "veth", "peer", "name", "dcv1");
    witness("ip", "link", "add", "dcv2", "type", "veth", "peer", "name", "dcv3");
    deleteAll();
    addErspan();
    wanted.push(...theirs(SCRIPT));
    addErspan();
    deleteAll();
  }, LIMIT_MS);

  afterAll(() => {
    deleteAll();
    using links = new Links();
    for (const name of ["dcv0", "dcv2"]) links.delete(name);
  });

  test(`${SCRIPT.length} command lines: the same output, the same status or a true one`, async () => {
    for (const [index, { args, honest: isHonest }] of SCRIPT.entries()) {
      const expected = wanted[index];
      if (expected === undefined) throw new Error("the other side has not run");
      const result = await ours(args);
      const where = `${index} ${args.join(" ")}`;
      const told = isUnordered(args) ? sorted : (text: string): string[] => text.split("\n");
      expect([where, ...told(still(result.out))]).toEqual([where, ...told(still(expected.out))]);
      expectSaid(result.error, expected, where);
      expect([where, expected.status, result.status]).toEqual([
        where,
        isHonest ? 0 : expected.status,
        isHonest ? 1 : expected.status,
      ]);
    }
  });
});

describe("millrace dpctl", () => {
  test("a file with errors: the rest is loaded, each error has its line, exit 1", async () => {
    deleteAll();
    expect((await ours(["add-dp", "dc5"])).status).toBe(0);
    const bad = file("bad", `${V4(1)} 2\nnonsense\n${V4(1)} 2\n${V4(2)} 2\nmod ${V4(9)} 1\n`);
    const { exitCode, stdout, stderr } = millrace(["dpctl", "add-flows", "dc5", bad]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("millrace dpctl: Failed parsing line number 2, skipped!: column 1");
    expect(stderr).toContain("updating flow table (File exists): line 3");
    expect(stderr).toContain("updating flow table (No such file or directory): line 5");
    expect((await ours(["dump-flows", "dc5"])).out.trim().split("\n").length).toBe(2);
    // Options stand anywhere, and none of them is commander's.
    expect(millrace(["dpctl", "show", "-s", "dc5"]).stdout).toContain("RX packets:");
    expect(millrace(["dpctl", "--help"]).stdout).toStartWith("millrace dpctl: ");
    expect(millrace(["dpctl", "-V"]).stdout).toMatch(/^millrace dpctl .*\d\.\d/);
    expect((await ours(["del-dp", "dc5"])).status).toBe(0);
  });

  test("explains as much as a load does", async () => {
    deleteAll();
    expect((await ours(["add-dp", "dc8"])).status).toBe(0);
    using dp = Datapath.open("dc8");
    const held = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,frag=no)";
    dp.loadSync([`${held} 1`], { ufid: false });
    const tcp = "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no)";
    const lines: readonly (readonly [key: string, actions: string])[] = [
      // What another kernel takes: User Mode Linux has no psample, QEMU's has all but the helper.
      ["in_port(2),eth()", "psample(group=1)"],
      ["in_port(2),ct_zone(5),eth()", "1"],
      [
        "in_port(2),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp()",
        "ct(commit,helper=none-such)",
      ],
      // What no kernel takes, with its place; and what is in the way.
      [`${tcp},tcp()`, "1"],
      ["in_port(3),eth()", "1,set(ipv4(ttl=3))"],
      ["in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,frag=no)", "2"],
      [held, "2"],
    ];
    let refused = 0;
    // A kernel that takes a flow has it in the way of the next one.
    const onlyHeld = (): void => {
      dp.flush();
      dp.loadSync([`${held} 1`], { ufid: false });
    };
    for (const [key, actions] of lines) {
      onlyHeld();
      const result = dp.loadSync([`${key} ${actions}`], { mode: "add", ufid: false });
      const [exception] = result.report.errors;
      onlyHeld();
      const { status, error } = await ours(["add-flow", "dc8", key, actions]);
      expect([key, actions, status]).toEqual([key, actions, exception === undefined ? 0 : 1]);
      if (exception === undefined) continue;
      refused++;
      // The line as it was given, and the place in it that a load of it points at.
      const [said = ""] = error.split("\n");
      expect(said).toEndWith(`: ${exception.reason}`);
      expect(error.slice(said.length + 1)).toBe(excerpt(exception));
    }
    expect(refused).toBeGreaterThanOrEqual(5);
    expect((await ours(["del-dp", "dc8"])).status).toBe(0);
  });

  test("a filter that it takes is applied, and one that it cannot read is refused", async () => {
    deleteAll();
    expect((await ours(["add-dp", "dc9"])).status).toBe(0);
    expect((await ours(["add-flow", "dc9", V4(1), "2"])).status).toBe(0);
    for (const [filter, flows, status] of [
      ["pmd=-1", 0, 0],
      ["pmd=0", 0, 0],
      ["pmd=2147483647", 1, 0],
      ["pmd=", 0, 1],
      ["pmd=all", 0, 1],
      ["type=ovs", 1, 0],
      ["type=tc", 0, 1],
      ["filter=ip,nw_src=10.0.0.1", 1, 0],
      ["filter=ip,nw_src=10.9.9.9", 0, 0],
    ] as const) {
      const { out, status: ended, error } = await ours(["dump-flows", "dc9", filter]);
      expect([filter, out.split("\n").length - 1, ended]).toEqual([filter, flows, status]);
      expect(error === "").toBe(status === 0);
    }
    expect((await ours(["del-dp", "dc9"])).status).toBe(0);
  });

  test("a command that fails half-way leaves no datapath and no port behind", async () => {
    expect((await ours(["add-dp", "dc7", "dc7p1,type=internal", "nosuch"])).status).toBe(1);
    // Nor is one made that is not the kernel's, under its name.
    expect((await ours(["add-dp", "netdev@dc7"])).status).toBe(1);
    expect((await ours(["dump-dps"])).out).toBe("");
    expect((await ours(["add-dp", "dc7"])).status).toBe(0);
    // A VLAN of an interface that is down cannot be brought up.
    witness("ip", "link", "add", "dc7v0", "type", "veth", "peer", "name", "dc7v1");
    witness("ip", "link", "add", "link", "dc7v0", "name", "dc7m0", "type", "vlan", "id", "5");
    const { status, error } = await ours(["add-if", "dc7", "dc7m0"]);
    expect([status, error]).toEqual([1, expect.stringContaining("failed bringing interface up")]);
    expect((await ours(["show", "dc7"])).out).not.toContain("dc7m0");
    expect(witness("ip", "-o", "link")).toContain("dc7m0");
    witness("ip", "link", "del", "dc7v0");
    expect((await ours(["del-dp", "dc7"])).status).toBe(0);
  });

  test("takes no name of a flow for a flush", async () => {
    expect((await ours(["add-dp", "dc6"])).status).toBe(0);
    expect((await ours(["add-flow", "dc6", V4(1), "2"])).status).toBe(0);
    for (const nothing of ["", " ", "# nothing"]) {
      const { status } = await ours(["del-flow", "dc6", nothing]);
      expect([nothing, status]).toEqual([nothing, 1]);
    }
    expect((await ours(["dump-flows", "dc6"])).out).toContain("10.0.0.1");
    expect((await ours(["del-dp", "dc6"])).status).toBe(0);
  });
});

describeUnless(NO_DPCTL)("conntrack through millrace dpctl", () => {
  const NETNS = ["dct-a", "dct-b"] as const;
  let hasZones = false;

  beforeAll(async () => {
    deleteAll();
    await ours(["add-dp", "dct"]);
    for (const [index, name] of NETNS.entries()) {
      const inside = ["ip", "-n", name];
      witness("ip", "netns", "add", name);
      witness("ip", "link", "add", `${name}0`, "type", "veth", "peer", "name", `${name}1`);
      witness("ip", "link", "set", `${name}1`, "netns", name);
      witness(...inside, "address", "add", `10.8.0.${index + 1}/24`, "dev", `${name}1`);
      witness(...inside, "link", "set", `${name}1`, "up");
      expect((await ours(["add-if", "dct", `${name}0,port_no=${index + 1}`])).status).toBe(0);
    }
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ]) {
      const key = `in_port(${from}),eth(),eth_type`;
      const arp = await ours(["add-flow", "dct", `${key}(0x0806),arp()`, `${to}`]);
      const actions = `ct(commit,mark=0x7/0xff,label=0x1234/0xffff),${to}`;
      const ipv4 = ["add-flow", "dct", `${key}(0x0800),ipv4(frag=no)`];
      // A kernel without CONFIG_NF_CONNTRACK_ZONES, as User Mode Linux, takes no zone.
      let ip = await ours([...ipv4, actions.replace("commit", "commit,zone=5")]);
      hasZones = ip.status === 0;
      if (!hasZones) ip = await ours([...ipv4, actions]);
      expect([arp, ip]).toMatchObject([
        { status: 0, error: "" },
        { status: 0, error: "" },
      ]);
    }
    // The kernel forgets an echo after 30 s, which a busy machine needs for what comes.
    for (const what of ["icmp_timeout", "tcp_timeout_time_wait"])
      writeFileSync(`/proc/sys/net/netfilter/nf_conntrack_${what}`, String(LIMIT_MS / 1000));
    const server = Bun.spawn(
      ["ip", "netns", "exec", "dct-b", "busybox", "nc", "-l", "-p", "5000", "-e", "cat"],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
    witness(...pingCommand("dct-a", "-c", "2", "10.8.0.2"));
    witness("sh", "-c", "echo hello | ip netns exec dct-a busybox nc -w 5 10.8.0.2 5000");
    server.kill();
    await server.exited;
  }, LIMIT_MS);

  afterAll(() => {
    deleteAll();
    for (const name of NETNS) witness("ip", "netns", "del", name);
  });

  test("prints real connections as ovs-dpctl does, and forgets those that match", async () => {
    const calls = [
      ["dump-conntrack"],
      ["-m", "dump-conntrack", "dct"],
      ["-s", "dump-conntrack", "dct", "zone=5"],
      ["-ms", "dump-conntrack", "zone=5"],
      ["dump-conntrack", "zone=6"],
      ["ct-stats-show", "dct"],
      ["ct-stats-show", "zone=5", "verbose"],
    ];
    const timeless = (text: string): string[] => sorted(text.replace(/timeout=\d+/g, "timeout=N"));
    const expected = theirs(calls.map((args) => ({ args })));
    for (const [index, args] of calls.entries()) {
      const { out, status } = await ours(args);
      expect([args, status, timeless(out)]).toEqual([
        args,
        0,
        timeless(expected[index]?.out ?? ""),
      ]);
    }
    const { out } = await ours(["-m", "dump-conntrack", "dct"]);
    expect(out).toMatch(/^icmp,orig=\(src=10\.8\.0\.1,dst=10\.8\.0\.2,id=\d+,type=8,code=0\)/m);
    expect(out).toMatch(/^tcp,.*status=.*CONFIRMED.*mark=7,labels=0x1234,protoinfo=/m);
    expect(out.includes(",zone=5,")).toBe(hasZones);

    const flush = async (...args: readonly string[]): Promise<string> => {
      expect([args, (await ours(["flush-conntrack", "dct", ...args])).status]).toEqual([args, 0]);
      return witness("ovs-dpctl", "dump-conntrack", "dct");
    };
    expect(await flush("zone=6")).toContain("tcp,");
    expect(await flush("zone=5", "ct_nw_src=10.8.0.9")).toContain("tcp,");
    const left = await flush("ct_nw_dst=10.8.0.2,ct_nw_proto=6,ct_tp_dst=5000");
    expect(left).not.toContain("tcp,");
    expect(left).toContain("icmp,");
    expect(await flush("mark=8")).toContain("icmp,");
    expect(await flush("mark=7", "labels=0x34/0xff")).toBe("");
  });
});
