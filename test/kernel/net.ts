import { Datapath } from "../../src/index.ts";
import { limit } from "../runner/limit.ts";
import { witness } from "./lab.ts";

/**
 * A datapath with machines around it: network namespaces, each behind a veth pair. Machine 1 has the
 * address 10.77.0.1 and the port number 1, and so on. Everything is gone when the test ends.
 */
export class TestNetwork implements Disposable {
  readonly #dp: Datapath | undefined;
  readonly name: string;
  /** Names of the namespaces. */
  readonly machines: readonly string[];
  /** Names of the datapath's interfaces; not ports yet where the caller adds them. */
  readonly interfaces: readonly string[];

  constructor(name: string, machines: number, options: { readonly datapath?: boolean } = {}) {
    this.name = name;
    this.machines = Array.from({ length: machines }, (_, i) => `${name}-m${i + 1}`);
    this.interfaces = Array.from({ length: machines }, (_, i) => `${name}v${i + 1}`);
    for (const [i, machine] of this.machines.entries()) {
      const [outside = "", inside] = [this.interfaces[i], `${name}e${i + 1}`];
      witness("ip", "netns", "add", machine);
      witness("ip", "link", "add", outside, "type", "veth", "peer", "name", inside);
      witness("ip", "link", "set", inside, "netns", machine);
      // A kernel that speaks IPv6 would send packets of its own among those of the test.
      const own = `${quiet(inside)}; ${patient(inside)}`;
      witness("sh", "-c", `${quiet(outside)}; ip netns exec ${machine} sh -c '${own}'`);
      witness("ip", "link", "set", outside, "up");
      witness("ip", "-n", machine, "addr", "add", `${addressOf(i + 1)}/24`, "dev", inside);
      witness("ip", "-n", machine, "link", "set", inside, "up");
      witness("ip", "-n", machine, "link", "set", "lo", "up");
    }
    if (options.datapath === false) return;
    this.#dp = Datapath.create(name);
    for (const each of this.interfaces) this.#dp.addPort(each);
  }

  get dp(): Datapath {
    if (this.#dp === undefined) throw new Error("the network was made without a datapath");
    return this.#dp;
  }

  /** Lets machines 1 and 2 talk: ARP as it is, IPv4 through actions before the output. */
  connect(forth = "", back = ""): void {
    this.dp.put("in_port(1),eth(),eth_type(0x0806),arp() 2");
    this.dp.put("in_port(2),eth(),eth_type(0x0806),arp() 1");
    this.dp.put(`in_port(1),eth(),eth_type(0x0800),ipv4() ${forth}2`);
    this.dp.put(`in_port(2),eth(),eth_type(0x0800),ipv4() ${back}1`);
  }

  [Symbol.dispose](): void {
    this.#dp?.delete();
    for (const each of this.interfaces) witness("ip", "link", "del", each);
    for (const each of this.machines) witness("ip", "netns", "del", each);
  }
}

function quiet(link: string): string {
  const setting = `/proc/sys/net/ipv6/conf/${link}/disable_ipv6`;
  return `if [ -e ${setting} ]; then echo 1 > ${setting}; fi`;
}

// An address is asked for three times, a second apart: too few where a program of a busy machine carries it.
function patient(link: string): string {
  return `echo ${limit(30) / 1000} > /proc/sys/net/ipv4/neigh/${link}/mcast_solicit`;
}

/** Address of machine `number`, from 1. */
export function addressOf(number: number): string {
  return `10.77.0.${number}`;
}

/** How a machine pings: by the lab's own program, as each has options and a summary of its own. */
export function pingCommand(machine: string, ...args: readonly string[]): string[] {
  return ["ip", "netns", "exec", machine, "busybox", "ping", ...args];
}

/** Starts a ping from machine to machine. @returns packets that came back within `seconds` of the last one */
export async function ping(
  from: string,
  to: string,
  count: number,
  seconds: number = limit(10) / 1000,
): Promise<number> {
  const child = Bun.spawn(pingCommand(from, "-c", `${count}`, "-W", `${seconds}`, to), {
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = await new Response(child.stdout).text();
  const received = /(\d+) packets received/.exec(output)?.[1];
  if (received === undefined) {
    throw new Error(`ping: ${output}${await new Response(child.stderr).text()}`);
  }
  return Number(received);
}

/** Packets that an interface sent and received, as `ip` counts them. */
export function linkPackets(name: string): { rx: number; tx: number } {
  const [link] = JSON.parse(witness("ip", "-s", "-j", "link", "show", name));
  return { rx: link.stats64.rx.packets, tx: link.stats64.tx.packets };
}
