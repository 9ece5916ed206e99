import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { millrace, witness } from "./lab.ts";
import { addressOf, ping, TestNetwork } from "./net.ts";
import { limit } from "../runner/limit.ts";

/**
 * The kernel's self-test of the datapath, done with `millrace dpctl`: it checks packets rather than
 * the flow table.
 */

setDefaultTimeout(limit(60));

/** The output of a program inside a machine; `isWell` if it exits with 0. */
function inside(machine: string, ...command: readonly string[]): { isWell: boolean; said: string } {
  const child = Bun.spawnSync(["ip", "netns", "exec", machine, ...command], { stderr: "pipe" });
  return {
    isWell: child.exitCode === 0,
    said: `${child.stdout.toString()}${child.stderr.toString()}`,
  };
}

/** `ip`, inside a machine. */
function configure(machine: string, command: string): string {
  return witness("ip", "-n", machine, ...command.split(" "));
}

function dpctl(...args: readonly string[]): string {
  const { exitCode, stdout, stderr } = millrace(["dpctl", ...args]);
  expect([args.join(" "), stderr, exitCode]).toEqual([args.join(" "), "", 0]);
  return stdout;
}

/** A datapath that knows ARP between its two machines, and the given flows. */
class Pair extends TestNetwork {
  constructor(name: string, flows: readonly (readonly [key: string, actions: string])[]) {
    super(name, 2);
    for (const port of [1, 2]) {
      dpctl("add-flow", name, `in_port(${port}),eth(),eth_type(0x0806),arp()`, `${3 - port}`);
    }
    for (const [key, actions] of flows) dpctl("add-flow", name, key, actions);
  }

  machine(number: 1 | 2): string {
    return this.machines[number - 1] ?? "";
  }
}

const ip = (port: number, rest = ""): string =>
  `in_port(${port}),eth(),eth_type(0x0800),ipv4(${rest})`;
const [ONE, TWO, AWAY] = [addressOf(1), addressOf(2), "192.168.0.20"];
/** Seconds to wait for an answer that must not come. */
const SOON = 1;

describe("connections", () => {
  /** Whether a machine gets the greeting of a server, which another one runs meanwhile. */
  async function greets(server: string, client: string, address: string): Promise<boolean> {
    const run = ["busybox", "nc", "-l", "-p", "4443", "-e", "busybox", "echo", "hello"];
    const child = Bun.spawn(["ip", "netns", "exec", server, ...run], { stdin: "ignore" });
    const listens = (): boolean =>
      inside(server, "busybox", "netstat", "-ltn").said.includes(":4443 ");
    while (!listens()) await Bun.sleep(20);
    const { said } = inside(client, "busybox", "nc", "-w", `${limit(1) / 1000}`, address, "4443");
    child.kill();
    await child.exited;
    return said.includes("hello");
  }

  test("go one way only, where that is asked of conntrack", async () => {
    const after = (port: number, state: string): string =>
      `recirc_id(0x1),ct_state(${state}),${ip(port, port === 1 ? `src=${ONE}` : `dst=${ONE}`)}`;
    using net = new Pair("st1", [
      ["ct_state(-trk),eth(),eth_type(0x0800),ipv4()", "ct(commit),recirc(0x1)"],
      [after(1, "+trk+new"), "2"],
      [after(1, "+trk+est"), "2"],
      [after(2, "+trk+est"), "1"],
      ["recirc_id(0x1),ct_state(+trk+inv),eth(),eth_type(0x0800),ipv4()", "drop"],
    ]);
    expect(await ping(net.machine(1), TWO, 1)).toBe(1);
    expect(await greets(net.machine(2), net.machine(1), TWO)).toBe(true);
    expect(await greets(net.machine(1), net.machine(2), ONE)).toBe(false);
  });

  test("reach another address than they asked for, by NAT", async () => {
    using net = new Pair("st2", [
      [`ct_state(-trk),${ip(1, `dst=${AWAY}`)}`, `ct(commit,nat(dst=${TWO})),recirc(0x1)`],
      [`ct_state(-trk),${ip(2)}`, "ct(commit,nat),recirc(0x2)"],
      [`recirc_id(0x1),ct_state(+trk-inv),${ip(1)}`, "2"],
      [`recirc_id(0x2),ct_state(+trk-inv),${ip(2)}`, "1"],
    ]);
    configure(net.machine(1), `route add default via ${TWO}`);
    expect(await ping(net.machine(1), AWAY, 1)).toBe(1);
    expect(await greets(net.machine(2), net.machine(1), AWAY)).toBe(true);
    expect(dpctl("dump-conntrack")).toContain(`reply=(src=${TWO},dst=${ONE},sport=4443`);
  });

  test("are told of what became of them under their own address", () => {
    const related = (dst: string): string =>
      `recirc_id(0x2),ct_state(+rel+trk),${ip(2, `dst=${dst},proto=1`)},icmp()`;
    using net = new Pair("st3", [
      [`ct_state(-trk),${ip(1, `dst=${TWO}`)}`, `ct(commit,nat(src=${AWAY})),recirc(0x1)`],
      [`recirc_id(0x1),ct_state(+trk-inv),${ip(1)}`, "2"],
      [`ct_state(-trk),${ip(2)}`, "ct(commit,nat),recirc(0x2)"],
      [related(ONE), "1"],
      [related(AWAY), "drop"],
    ]);
    configure(net.machine(2), `route add ${AWAY} via ${ONE}`);
    // UDP to a port that nobody listens to.
    const { said } = inside(net.machine(1), "busybox", "traceroute", "-nm1", "-q1", TWO);
    expect(said).toMatch(new RegExp(`1 +${TWO} `));
    expect(dpctl("dump-flows", "st3")).toMatch(/\+rel.*packets:1, .*actions:1\n/);
    expect(dpctl("dump-flows", "st3")).toMatch(/\+rel.*packets:0, .*actions:drop\n/);
  });
});

describe("actions", () => {
  test("a tag goes, and comes back", async () => {
    using net = new Pair("st4", []);
    const [one, two] = [net.machine(1), net.machine(2)];
    configure(one, "link add link st4e1 name tag type vlan id 10");
    configure(one, "addr add 10.78.0.1/24 dev tag");
    configure(one, "link set tag up");
    configure(two, "addr add 10.78.0.2/24 dev st4e2");
    const addressIn = (machine: string, link: string): string =>
      JSON.parse(configure(machine, `-j link show ${link}`))[0].address;
    const [there, here] = [addressIn(two, "st4e2"), addressIn(one, "tag")];
    configure(one, `neigh replace 10.78.0.2 lladdr ${there} dev tag`);
    configure(two, `neigh replace 10.78.0.1 lladdr ${here} dev st4e2`);
    const tagged =
      "in_port(1),eth(),eth_type(0x8100),vlan(vid=10),encap(eth_type(0x0800),ipv4(proto=1),icmp())";
    dpctl("add-flow", net.name, ip(2), "push_vlan(vid=10,pcp=0,tpid=0x8100),1");
    dpctl("add-flow", net.name, tagged, "2");
    expect(await ping(one, "10.78.0.2", 1, SOON)).toBe(0);
    dpctl("mod-flow", net.name, tagged, "pop_vlan,2");
    expect(await ping(one, "10.78.0.2", 1)).toBe(1);
  });

  test("a packet at its last hop ends, one for another address is lost, and a flow keeps its actions", async () => {
    using net = new Pair("st5", [
      [ip(1), "dec_ttl(le_1()),2"],
      [ip(2), "dec_ttl(le_1()),1"],
    ]);
    const machine = net.machine(1);
    expect(await ping(machine, TWO, 1)).toBe(1);
    expect(inside(machine, "busybox", "ping", "-c1", "-W1", "-t1", TWO).isWell).toBe(false);
    dpctl("mod-flow", net.name, ip(1), "set(ipv4(dst=10.77.0.99)),2");
    expect(await ping(machine, TWO, 1, SOON)).toBe(0);
    dpctl("mod-flow", net.name, ip(1), "2");
    expect(await ping(machine, TWO, 1)).toBe(1);
    // Without actions a flow keeps its own.
    dpctl("mod-flow", net.name, ip(1), "drop");
    dpctl("mod-flow", net.name, ip(1));
    expect(dpctl("dump-flows", net.name)).toContain("actions:drop");
  });
});

describe("tunnels", () => {
  test("packets that come out of one have its id, its addresses and its flags", async () => {
    witness("modprobe", "vxlan");
    using net = new TestNetwork("st7", 1);
    const [machine = ""] = net.machines;
    dpctl("del-if", net.name, "st7v1");
    witness("ip", "addr", "add", "10.77.0.2/24", "dev", "st7v1");
    dpctl("add-if", net.name, "st7vx,type=vxlan,remote_ip=flow,key=flow");
    const kinds = [
      ["1155332", "32", "udpcsum", "csum|key"],
      ["1357986", "15", "noudpcsum", "key"],
    ] as const;
    for (const [id, ttl, sum, flags] of kinds) {
      const link = `vx${ttl}`;
      const vxlan = `type vxlan remote ${TWO} id ${id} dstport 4789 ttl ${ttl} ${sum}`;
      configure(machine, `link add ${link} ${vxlan}`);
      configure(machine, `addr add 10.79.${ttl}.1/24 dev ${link}`);
      configure(machine, `link set ${link} up`);
      using upcalls = net.dp.upcalls({ dispatch: "port" });
      inside(machine, "busybox", "arping", "-c1", "-w1", "-I", link, `10.79.${ttl}.2`);
      const keys = upcalls.read().flatMap((packet) => (packet.kind === "miss" ? [packet.key] : []));
      const tunnel = `tunnel(tun_id=0x${Number(id).toString(16)},src=${ONE},dst=${TWO},tos=0,ttl=${ttl},`;
      expect(keys.find((key) => key.includes(`arp(sip=10.79.${ttl}.1`))).toContain(tunnel);
      expect(keys.join("\n")).toMatch(/tp_src=\d+,tp_dst=4789/);
      expect(keys.join("\n")).toContain(`flags(${flags})`);
    }
  });
});
