/**
 * A learning Ethernet switch. A packet that finds no flow comes up here once; the answer is a flow, and
 * the packets after it stay in the kernel.
 *
 *   bun docs/examples/learning-switch.ts DATAPATH PORT…
 *
 * Makes the datapath with these interfaces as ports, switches until SIGINT, and deletes it.
 */
import { Datapath, type Upcall } from "millrace";

const [name = "switch0", ...interfaces] = process.argv.slice(2);

/** Flows that a machine's move makes wrong are as old as this at most: all are dropped then. */
const FLUSH_EVERY_MS = 300_000;

/** By Ethernet type: the kernel requires the header in the key, though nothing of it is matched. */
const WHATEVER_IS_INSIDE: ReadonlyMap<string, string> = new Map([
  ["0800", "ipv4()"],
  ["0806", "arp()"],
  ["86dd", "ipv6()"],
]);

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

using dp = Datapath.create(name);
try {
  for (const each of interfaces) dp.addPort(each);
  const ports = dp.ports().filter((port) => port.type === "netdev");
  console.log(`switching between ${ports.map((port) => port.name).join(", ")}`);
  await switchPackets(ports.map((port) => port.number));
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  dp.delete();
}

async function switchPackets(ports: readonly number[]): Promise<void> {
  using upcalls = dp.upcalls();
  using flows = dp.batch();
  const portOf = new Map<string, number>();
  const everywhere = (but: number): string =>
    ports.filter((port) => port !== but).join(",") || "drop";
  const flush = setInterval(() => dp.flush(), FLUSH_EVERY_MS);
  try {
    while (await upcalls.wait({ signal: stop.signal })) {
      for (const packet of upcalls.read()) {
        if (packet.kind === "lost") {
          console.log(`${packet.count} packets lost`);
          continue;
        }
        const from = packet.inPort ?? 0;
        const { source, destination } = addressesOf(packet);
        portOf.set(source, from);
        const to = portOf.get(destination);
        if (to === undefined || isGroup(destination)) {
          dp.execute(packet, everywhere(from));
          continue;
        }
        const actions = to === from ? "drop" : String(to);
        const type = packet.packet.subarray(12, 14).toHex();
        const rest = WHATEVER_IS_INSIDE.get(type);
        // One flow for all packets of a kind from this machine to that one; or just for such as this.
        if (rest === undefined) flows.answer(packet, actions);
        else {
          const machines = `in_port(${from}),eth(src=${source},dst=${destination})`;
          flows.add(`${machines},eth_type(0x${type}),${rest} ${actions}`);
        }
        dp.execute(packet, actions);
      }
      for (const { reason, text } of flows.flush().exceptions) console.log(`${reason}: ${text}`);
    }
  } finally {
    clearInterval(flush);
  }
}

function addressesOf({ packet }: Upcall): { source: string; destination: string } {
  const text = (from: number): string =>
    packet
      .subarray(from, from + 6)
      .toHex()
      .replaceAll(/..(?=.)/g, "$&:");
  return { destination: text(0), source: text(6) };
}

function isGroup(address: string): boolean {
  return (Number.parseInt(address.slice(0, 2), 16) & 1) === 1;
}
