import type { Packing, Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import {
  BEST,
  DATAPATH,
  few,
  fromFile,
  fromTemplate,
  installs,
  limit,
  ours,
  packingName,
} from "./programs.ts";

/** The packing of nl_transact_multiple: OPERATE_MAX_OPS of dpif-netlink, MAX_BATCH_BYTES of netlink-socket. */
const OVS_PACKING = { messages: 50, bytes: 3584 };

/** Every program that installs flows, each with a suitable number. */
export function peersPart(size: Size, files: Files, peers: Peers): Variant[] {
  const { peerFlows: flows, seed } = size;
  const packed = { part: "peers", file: files.packed(flows), flows, packing: BEST } as const;
  return [
    ...limits(size, files, peers),
    ...byLibraries(size, files, peers),
    ours("packed", `millrace, encoded before, ${packingName(BEST)}`, packed),
    fromTemplate("peers", flows, seed),
    ...(peers.dpctl ? byDpctl(size, files) : []),
    ...(peers.pyroute === undefined ? [] : byPyroute(peers.pyroute, size, files)),
  ];
}

/** The common properties of variants with `flows` flows of the sample. */
/** The C program in several packings, including OVS's. */
function limits(size: Size, files: Files, peers: Peers): Variant[] {
  if (peers.limit === undefined) return [];
  const flows = size.peerFlows;
  const file = files.packed(flows);
  const packings = [
    [128, 1],
    [512, 1],
    [1024, 1],
    [4096, 1],
    [1024, 4],
    [BEST.perDatagram, BEST.perCall],
  ] as const;
  const { messages, bytes } = OVS_PACKING;
  const cut = [String(messages), String(bytes), "1", "errors", "sendmsg"];
  return [
    ...packings.flatMap(([perDatagram, perCall]) => {
      const transport = perCall > 1 ? "sendmmsg" : "send";
      const packing: Packing = { perDatagram, perCall, transport, ack: "errors" };
      return limit(peers, { part: "peers", file, flows, packing });
    }),
    {
      ...installs("peers", flows),
      id: "nl-transact",
      name: "C in the shape of nl_transact_multiple",
      program: "C",
      command: [peers.limit, "flow", DATAPATH, file, ...cut],
    },
  ];
}

/**
 * libmnl, and OVS's library: its sending alone, and a C program that uses it to load a text file.
 */
function byLibraries(size: Size, files: Files, { mnl, dpif }: Peers): Variant[] {
  const { peerFlows, dpctlFlows } = size;
  const found: Variant[] = [];
  if (mnl !== undefined) {
    found.push({
      ...installs("peers", peerFlows),
      id: "libmnl",
      name: "libmnl's batch",
      program: "libmnl",
      command: [mnl, DATAPATH, files.packed(peerFlows)],
    });
  }
  if (dpif === undefined) return found;
  const byOvs = (mode: "operate" | "text", name: string, flows: number): Variant => ({
    ...installs("peers", flows),
    id: `ovs-${mode}`,
    name,
    program: "libopenvswitch",
    command: [dpif, mode, DATAPATH, files.text(flows)],
    warmUp: [dpif, mode, DATAPATH, files.text(few(flows))],
  });
  return [
    ...found,
    byOvs("operate", "OVS's library: dpif_operate, UFID, parsed before", peerFlows),
    byOvs("text", `OVS's library: text and dpif_operate, UFID, ${dpctlFlows} lines`, dpctlFlows),
  ];
}

/** ovs-dpctl, and the same set by millrace: both must leave the same hash. */
function byDpctl({ dpctlFlows: flows }: Size, files: Files): Variant[] {
  const { text } = files;
  return [
    {
      ...installs("peers", flows),
      id: "dpctl-add",
      name: "ovs-dpctl add-flows",
      program: "ovs-dpctl",
      command: ["ovs-dpctl", "add-flows", DATAPATH, text(flows)],
      warmUp: ["ovs-dpctl", "add-flows", DATAPATH, text(few(flows))],
      reports: false,
    },
    fromFile("load-text-of-dpctl", `millrace load, from text, ${flows} lines, no UFID`, {
      part: "peers",
      file: text,
      flows,
      options: ["--no-ufid"],
    }),
    {
      part: "peers",
      id: "dpctl-start",
      name: "ovs-dpctl, its start",
      program: "ovs-dpctl",
      command: ["ovs-dpctl", "--version"],
      flows: 0,
      leaves: 0,
      reports: false,
    },
  ];
}

/** pyroute2, and the same set by millrace. */
function byPyroute(program: readonly string[], size: Size, files: Files): Variant[] {
  const { pyrouteFlows: flows, seed } = size;
  const command = (count: number): string[] => [...program, DATAPATH, String(count), String(seed)];
  const name = `millrace load, from text, the ${flows} lines of pyroute2, no UFID`;
  return [
    {
      ...installs("peers", flows),
      id: "pyroute",
      name: "pyroute2, a message a flow",
      program: "pyroute2",
      command: command(flows),
      warmUp: command(few(flows)),
    },
    fromFile("load-text-of-pyroute", name, {
      part: "peers",
      file: files.text,
      flows,
      options: ["--no-ufid"],
    }),
  ];
}
