import { join } from "node:path";
import { DEFAULT_BATCHING } from "../src/load/send/batching.ts";
import type { LabPart, Program, Shape, Variant } from "./model.ts";
import type { Peers } from "./peers.ts";
import type { Size } from "./size.ts";

const ROOT = join(import.meta.dir, "..");
const BUN = join(ROOT, "src/cli/bun");
/** The launcher, as a user's shell finds it. */
export const MILLRACE: string = join(ROOT, "src/cli/millrace");
/** The datapath of all variants. */
export const DATAPATH = "bench0";

/** No datagram of the suite is cut by its bytes, but in the shape of OVS. */
const DATAGRAM_BYTES = 1 << 20;

/** The shape of nl_transact_multiple: OPERATE_MAX_OPS of dpif-netlink, MAX_BATCH_BYTES of netlink-socket. */
const OVS_SHAPE = { messages: 50, bytes: 3584 };

/** What millrace uses by default; the C program takes it, and others. */
export const BEST: Shape = {
  perDatagram: DEFAULT_BATCHING.messagesPerDatagram,
  perCall: DEFAULT_BATCHING.datagramsPerCall,
  transport: DEFAULT_BATCHING.transport,
  ack: DEFAULT_BATCHING.ack,
};

/** A sweep of many variants is not to take as many rounds as what is held against a bar. */
const SWEEP_ROUNDS = 2;

/** Lines of a warm-up: ovs-dpctl takes hundreds of µs for each. */
const WARM_UP_FLOWS = 1000;

/** What the variants read, made when it is asked for. */
export type Files = {
  /** Messages, back to back, with UFIDs. */
  readonly packed: (flows: number) => string;
  readonly text: (lines: number) => string;
  /** The same, by `millrace compile`. */
  readonly compiled: (lines: number) => string;
  /** The same without actions, as del-flows reads them. */
  readonly keys: (lines: number) => string;
  readonly masked: (flows: number, masks: number) => string;
  readonly verbs: (flows: number) => string;
};

/** `16 a datagram × 4 a call, sendmmsg, ack each`. */
function shapeName({ perDatagram, perCall, transport, ack }: Shape): string {
  const calls = perCall > 1 ? ` × ${perCall}` : "";
  return `${perDatagram}${calls} by ${transport}${ack === "each" ? ", ack each" : ""}`;
}

function words(shape: Shape): string[] {
  const { perDatagram, perCall, ack } = shape;
  return [String(perDatagram), String(DATAGRAM_BYTES), String(perCall), ack];
}

/** How many of `flows` a warm-up takes. */
function few(flows: number): number {
  return Math.min(flows, WARM_UP_FLOWS);
}

function sample(flows: number): string {
  return `sample ${flows}`;
}

/** millrace's engine with bytes that were encoded beforehand. */
export function ours(
  part: LabPart,
  name: string,
  file: string,
  flows: number,
  shape: Shape,
): Variant {
  const program = join(ROOT, "bench/lab/packed.ts");
  return {
    part,
    name,
    program: "millrace",
    command: [BUN, program, DATAPATH, file, ...words(shape), shape.transport],
    flows,
    leaves: flows,
    work: sample(flows),
    reports: true,
    shape,
  };
}

/** The C program with the same bytes. */
function limit(part: LabPart, file: string, flows: number, shape: Shape, peers: Peers): Variant[] {
  if (peers.limit === undefined) return [];
  return [
    {
      part,
      name: `C, encoded before, ${shapeName(shape)}`,
      program: "C",
      command: [peers.limit, "flow", DATAPATH, file, ...words(shape)],
      flows,
      leaves: flows,
      work: sample(flows),
      reports: true,
      shape,
    },
  ];
}

function sweep(size: Size, files: Files, peers: Peers): Variant[] {
  const found: Variant[] = [];
  for (const ack of ["errors", "each"] as const) {
    for (const perDatagram of size.sweepSizes) {
      for (const transport of ["send", "writev", "sendmmsg"] as const) {
        // A writev takes no more than max_iovs, and sendmmsg of one datagram is a send.
        if (transport === "writev" && perDatagram > 1024) continue;
        if (transport === "sendmmsg" && perDatagram > 2048) continue;
        const perCall = transport === "sendmmsg" ? Math.min(1024, 4096 / perDatagram) : 1;
        const shape: Shape = { perDatagram, perCall, transport, ack };
        // A thousand calls tell a latency; where calls are dear there are no more.
        const flows = Math.min(size.sweepFlows, perDatagram * perCall * 2000);
        const file = files.packed(flows);
        const name = `millrace, encoded before, ${shapeName(shape)}`;
        found.push(ours("sweep", name, file, flows, shape));
        if (transport === "writev") continue;
        found.push(...limit("sweep", file, flows, shape, peers));
      }
    }
  }
  const rounds = Math.min(size.rounds, SWEEP_ROUNDS);
  return found.map((variant) => ({ ...variant, rounds }));
}

function peersPart(size: Size, files: Files, peers: Peers): Variant[] {
  const { peerFlows: flows, dpctlFlows, pyrouteFlows } = size;
  const file = files.packed(flows);
  const found: Variant[] = [];
  for (const [perDatagram, perCall] of [
    [128, 1],
    [512, 1],
    [1024, 1],
    [4096, 1],
    [1024, 4],
    [BEST.perDatagram, BEST.perCall],
  ] as const) {
    const transport = perCall > 1 ? "sendmmsg" : "send";
    const shape: Shape = { perDatagram, perCall, transport, ack: "errors" };
    found.push(...limit("peers", file, flows, shape, peers));
  }
  const base = { part: "peers" as const, flows, leaves: flows, work: sample(flows), reports: true };
  if (peers.limit !== undefined) {
    const { messages, bytes } = OVS_SHAPE;
    const cut = [String(messages), String(bytes), "1", "errors", "sendmsg"];
    found.push({
      ...base,
      name: "C in the shape of nl_transact_multiple",
      program: "C",
      command: [peers.limit, "flow", DATAPATH, file, ...cut],
    });
  }
  if (peers.mnl !== undefined) {
    const command = [peers.mnl, DATAPATH, file];
    found.push({ ...base, name: "libmnl's batch", program: "libmnl", command });
  }
  if (peers.dpif !== undefined) found.push(...byLibrary(peers.dpif, size, files));
  found.push(
    ours("peers", `millrace, encoded before, ${shapeName(BEST)}`, file, flows, BEST),
    fromTemplate("peers", flows, size.seed),
  );
  if (peers.dpctl) {
    const text = files.text(dpctlFlows);
    const name = `millrace load, from text, ${dpctlFlows} lines, no UFID`;
    const same = fromFile("peers", name, files.text, dpctlFlows, ["--no-ufid"]);
    const theirs = { ...base, program: "ovs-dpctl" as const, flows: dpctlFlows, reports: false };
    found.push(
      {
        ...theirs,
        name: "ovs-dpctl add-flows",
        command: ["ovs-dpctl", "add-flows", DATAPATH, text],
        warmUp: ["ovs-dpctl", "add-flows", DATAPATH, files.text(few(dpctlFlows))],
        leaves: dpctlFlows,
        work: sample(dpctlFlows),
      },
      // The same set by millrace: the hashes of the two are to be the same.
      same,
      start("peers", "ovs-dpctl, its start", "ovs-dpctl", ["ovs-dpctl", "--version"]),
    );
  }
  if (peers.pyroute !== undefined) {
    const program = peers.pyroute;
    const pyroute = (count: number): string[] => [
      ...program,
      DATAPATH,
      String(count),
      String(size.seed),
    ];
    found.push({
      ...base,
      name: "pyroute2, a message a flow",
      program: "pyroute2",
      command: pyroute(pyrouteFlows),
      warmUp: pyroute(few(pyrouteFlows)),
      flows: pyrouteFlows,
      leaves: pyrouteFlows,
      work: sample(pyrouteFlows),
    });
    // Again the same set by millrace.
    const name = `millrace load, from text, the ${pyrouteFlows} lines of pyroute2, no UFID`;
    found.push(fromFile("peers", name, files.text, pyrouteFlows, ["--no-ufid"]));
  }
  return found;
}

/** OVS's own library: what it sends with, and what a C program on it gets from a text file. */
function byLibrary(dpif: string, size: Size, files: Files): Variant[] {
  const { peerFlows, dpctlFlows } = size;
  const base = { part: "peers", program: "libopenvswitch", reports: true } as const;
  const of = (mode: string, name: string, flows: number): Variant => ({
    ...base,
    name,
    command: [dpif, mode, DATAPATH, files.text(flows)],
    warmUp: [dpif, mode, DATAPATH, files.text(few(flows))],
    flows,
    leaves: flows,
    work: sample(flows),
  });
  return [
    of("operate", "OVS's library: dpif_operate, UFID, parsed before", peerFlows),
    of("text", `OVS's library: text and dpif_operate, UFID, ${dpctlFlows} lines`, dpctlFlows),
  ];
}

function start(part: LabPart, name: string, program: Program, command: readonly string[]): Variant {
  return { part, name, program, command, flows: 0, leaves: 0, reports: false };
}

/** What a user does: a file, a new process. */
function fromFile(
  part: LabPart,
  name: string,
  file: (flows: number) => string,
  flows: number,
  options: readonly string[] = [],
): Variant {
  const load = (count: number): string[] => {
    const input = file(count);
    return [MILLRACE, "load", input, "--dp", DATAPATH, "--json", ...options];
  };
  return {
    part,
    name,
    program: "millrace",
    command: load(flows),
    warmUp: load(few(flows)),
    flows,
    leaves: flows,
    work: sample(flows),
    reports: true,
  };
}

/** What a script does: a template and columns. */
function fromTemplate(part: LabPart, flows: number, seed: number): Variant {
  const program = join(ROOT, "bench/lab/template.ts");
  return {
    part,
    name: "millrace, from a template",
    program: "millrace",
    command: [BUN, program, DATAPATH, String(flows), String(seed)],
    flows,
    leaves: flows,
    work: sample(flows),
    reports: true,
  };
}

function growth(size: Size, files: Files, peers: Peers): Variant[] {
  const { flows, textFlows, seed } = size;
  const file = files.packed(flows);
  const single: Shape = { ...BEST, perCall: 1, transport: "send" };
  const found = [
    // The best size of a batch differs from kernel to kernel: the limit is given its own.
    ...[128, 512, 1024].flatMap((perDatagram) =>
      limit("growth", file, flows, { ...single, perDatagram }, peers),
    ),
    ...limit("growth", file, flows, BEST, peers),
    ours("growth", `millrace, encoded before, ${shapeName(BEST)}`, file, flows, BEST),
    fromTemplate("growth", flows, seed),
    fromFile("growth", "millrace load, compiled file", files.compiled, textFlows),
    fromFile("growth", "millrace load, from text", files.text, textFlows),
    {
      ...fromFile(
        "growth",
        "garbage collection of millrace load, from text",
        files.text,
        textFlows,
      ),
      watched: true as const,
      rounds: 1,
    },
  ];
  // Names are unique in a plan: these stand beside those of the peers.
  return found.map((variant) => ({ ...variant, name: `${variant.name}, ${variant.flows} flows` }));
}

function masks(size: Size, files: Files, peers: Peers): Variant[] {
  const flows = size.sweepFlows;
  return size.masks.flatMap((count) => {
    const file = files.masked(flows, count);
    const own = ours("masks", `millrace, ${count} masks`, file, flows, BEST);
    const found = [
      own,
      ...limit("masks", file, flows, BEST, peers).map((v) => ({ ...v, name: `C, ${count} masks` })),
    ];
    const work = `${count} masks, ${flows}`;
    const rounds = Math.min(size.rounds, SWEEP_ROUNDS);
    return found.map((variant) => ({ ...variant, masks: count, work, rounds }));
  });
}

function verbs(size: Size, files: Files, peers: Peers): Variant[] {
  const { peerFlows: flows, dpctlFlows } = size;
  const folder = files.verbs(flows);
  const found: Variant[] = [
    {
      part: "verbs",
      name: "millrace, verbs",
      program: "millrace",
      command: [BUN, join(ROOT, "bench/lab/verbs.ts"), DATAPATH, folder],
      flows,
      leaves: 0,
      reports: true,
    },
  ];
  if (!peers.dpctl) return found;
  found.push({
    part: "verbs",
    name: "ovs-dpctl del-flows, flow by flow",
    program: "ovs-dpctl",
    command: ["sh", "-c", DPCTL_DELETE, DATAPATH, files.text(dpctlFlows), files.keys(dpctlFlows)],
    warmUp: ["ovs-dpctl", "add-flows", DATAPATH, files.text(few(dpctlFlows))],
    flows: dpctlFlows,
    leaves: 0,
    reports: true,
    rounds: 1,
  });
  return found;
}

/** ovs-dpctl deletes by key, and only flows that were put by key: they are added first, by itself. */
const DPCTL_DELETE = `ovs-dpctl add-flows "$0" "$1" && before=$(date +%s%N) &&
ovs-dpctl del-flows "$0" "$2" &&
echo "{\\"seconds\\": $((($(date +%s%N) - before) / 1000)).0e-6}"`;

function dump(size: Size, _files: Files, peers: Peers): Variant[] {
  const { flows } = size;
  const programs: [Program, string][] = [["millrace", `'${MILLRACE}' dump --dp "$0" -m`]];
  if (peers.dpctl) programs.push(["ovs-dpctl", `ovs-dpctl dump-flows -m "$0"`]);
  const found: Variant[] = [];
  for (const before of ["flows", "empty"] as const) {
    for (const [program, script] of programs) {
      const what = before === "flows" ? `${flows} flows printed` : "its start (nothing to print)";
      found.push({
        part: "dump",
        name: `${program === "millrace" ? "millrace dump -m" : "ovs-dpctl dump-flows -m"}, ${what}`,
        program,
        command: ["sh", "-c", `exec ${script} > /dev/null`, DATAPATH],
        flows: before === "flows" ? flows : 0,
        leaves: before === "flows" ? flows : 0,
        reports: false,
        before,
      });
    }
  }
  return found;
}

/** What each part runs. */
export const PART_VARIANTS: Readonly<
  Record<LabPart, (size: Size, files: Files, peers: Peers) => Variant[]>
> = { sweep, peers: peersPart, growth, masks, verbs, dump };
