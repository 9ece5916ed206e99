import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Datapath, NetworkNamespace } from "../../src/index.ts";
import { HAS_DPCTL, TestDatapath, witness } from "./lab.ts";
import { addressOf, ping, TestNetwork } from "./net.ts";

const EXAMPLES = join(import.meta.dir, "../../docs/examples");

type Example = Subprocess<"ignore", "pipe", "inherit">;

function start(name: string, ...args: readonly string[]): Example {
  const command = [process.execPath, join(EXAMPLES, name), ...args];
  return Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
}

/** Lines of a program's output as they come. */
async function* linesOf(child: Example): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of child.stdout) {
    const lines = (rest + Buffer.from(chunk).toString()).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function nextLine(lines: AsyncGenerator<string, void>): Promise<string> {
  const { value } = await lines.next();
  return value ?? "";
}

/** Sends `bytes` over TCP from one machine to another. @returns what arrived */
async function transfer(
  from: string,
  to: string,
  address: string,
  bytes: Uint8Array,
): Promise<Buffer> {
  using source = NetworkNamespace.open(from);
  using target = NetworkNamespace.open(to);
  const arrived: Buffer[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = target.run(() =>
    Bun.listen({
      hostname: address,
      port: 5001,
      socket: { data: (_, chunk) => void arrived.push(Buffer.from(chunk)), close: () => resolve() },
    }),
  );
  try {
    let sent = 0;
    await source.run(async () =>
      Bun.connect({
        hostname: address,
        port: 5001,
        socket: {
          open: (socket) => push(socket),
          drain: (socket) => push(socket),
          connectError: (_, error) => reject(error),
        },
      }),
    );
    function push(socket: { write(data: Uint8Array): number; end(): void }): void {
      sent += socket.write(bytes.subarray(sent));
      if (sent === bytes.length) socket.end();
    }
    await promise;
  } finally {
    server.stop(true);
  }
  return Buffer.concat(arrived);
}

describe("examples", () => {
  test("the learning switch: ping and TCP cross it, and later packets stay in the kernel", async () => {
    using net = new TestNetwork("sw1", 3, { datapath: false });
    const [first = "", second = "", third = ""] = net.machines;
    const child = start("learning-switch.ts", "sw1", ...net.interfaces);
    try {
      const lines = linesOf(child);
      expect(await nextLine(lines)).toBe("switching between sw1v1, sw1v2, sw1v3");
      using dp = Datapath.open("sw1");
      expect(await ping(first, addressOf(2), 3)).toBe(3);
      expect(await ping(third, addressOf(1), 1)).toBe(1);
      const { missed } = dp.info().stats;
      expect(await ping(first, addressOf(2), 3)).toBe(3);
      // Neighbours may be asked for again; the echoes themselves do not come up any more.
      expect(dp.info().stats.missed - missed).toBeLessThanOrEqual(2);
      const bytes = crypto.getRandomValues(new Uint8Array(60_000));
      const big = Buffer.concat(Array.from({ length: 16 }, () => bytes));
      const arrived = await transfer(second, third, addressOf(3), big);
      expect(arrived.equals(big)).toBe(true);
      const carried = [...dp.flows()].filter((flow) =>
        flow.toString().includes("eth_type(0x0800)"),
      );
      const carriedBytes = carried.reduce((sum, flow) => sum + flow.byteCount, 0);
      expect(carriedBytes).toBeGreaterThan(big.length);
      // Headers and acknowledgements, and the echoes from before.
      expect(carriedBytes).toBeLessThan(big.length * 1.2);
      if (HAS_DPCTL) expect(witness("ovs-dpctl", "show", "sw1")).toContain("sw1v3");
    } finally {
      child.kill("SIGINT");
    }
    expect(await child.exited).toBe(0);
    expect(Datapath.list().map(({ name }) => name)).not.toContain("sw1");
  });

  test("the bulk loader loads", async () => {
    using made = new TestDatapath("bl1");
    const child = start("bulk-load.ts", made.name, "5000");
    expect(await nextLine(linesOf(child))).toBe("5000 of 5000 flows applied");
    expect(await child.exited).toBe(0);
    expect(made.flows).toBe(5000);
  });

  test("the monitor tells of changes", async () => {
    const child = start("monitor.ts");
    const lines = linesOf(child);
    expect(await nextLine(lines)).toBe("listening");
    witness("ip", "link", "add", "mon1d", "type", "dummy");
    using dp = Datapath.create("mon1");
    dp.addPort("mon1d");
    dp.put("in_port(1),eth(),eth_type(0x0806),arp() drop");
    dp.delete();
    witness("ip", "link", "del", "mon1d");
    const told: string[] = [];
    while (told.at(-1) !== "delete datapath mon1") told.push(await nextLine(lines));
    expect(told).toContain("new datapath mon1");
    expect(told).toContain("new port 1 mon1d");
    expect(told).toContain("new flow in_port(1),eth(),eth_type(0x0806),arp(), actions:drop");
    child.kill("SIGINT");
    expect(await child.exited).toBe(0);
  });
});
