import { Command, Option } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import { openDatapath } from "../../ovs/datapath.ts";
import { NetworkNamespace } from "../../sys/netns.ts";
import { movePort } from "../../ovs/port-move.ts";
import { addPort, deletePort, listPorts, type PortInfo, type PortType } from "../../ovs/vport.ts";
import { withExamples } from "../help.ts";
import { namespaceOf, withNamespace } from "../namespace-option.ts";
import { positiveNumber } from "../option-value.ts";
import { count, printJson, printTable } from "../output.ts";

// `millrace port`: adds, deletes, moves and lists ports.

type DatapathOption = { dp: string };

/** `millrace port`. */
export function portCommand(): Command {
  const port = new Command("port").description(
    "Add, delete, move and list the ports of a datapath.",
  );
  withExamples(
    port,
    "millrace port add veth1 --dp lab0",
    "millrace port list --dp lab0",
    "millrace port del veth1 --dp lab0",
  );
  withExamples(
    port.command("add <NAME>"),
    "millrace port add veth1 --dp lab0",
    "millrace port add host0 --dp lab0 --type internal --number 7",
    "millrace port add vx0 --dp lab0 --type vxlan --destination-port 4789",
  )
    .description("add an existing interface, or one that the datapath creates")
    .requiredOption("--dp <NAME>", "the datapath")
    .addOption(
      new Option("--type <TYPE>", "netdev: an existing interface; the others create one")
        .choices(["netdev", "internal", "vxlan", "geneve", "gre"])
        .default("netdev"),
    )
    .option(
      "--number <N>",
      "the port number; by default the next free one",
      positiveNumber("--number"),
    )
    .option(
      "--destination-port <PORT>",
      "UDP port of vxlan (4789) or geneve (6081)",
      positiveNumber("--destination-port"),
    )
    .option("--gbp", "vxlan's group policy extension")
    .option("--json", "one JSON document")
    .action(add);
  withExamples(port.command("del <NAME>"), "millrace port del veth1 --dp lab0")
    .description("remove a port from its datapath")
    .requiredOption("--dp <NAME>", "the datapath")
    .option("--json", "one JSON document")
    .action(del);
  withExamples(port.command("move <NAME>"), "millrace port move host0 --dp lab0 --to blue")
    .description("move the interface of an internal port into another namespace")
    .requiredOption("--dp <NAME>", "the datapath")
    .requiredOption("--to <NAMESPACE>", "a network namespace: name, path, or id of a process in it")
    .option("--json", "one JSON document")
    .action(move);
  withExamples(
    port.command("list"),
    "millrace port list --dp lab0",
    "millrace port list --dp lab0 --json",
  )
    .description("ports with their counters")
    .requiredOption("--dp <NAME>", "the datapath")
    .option("--json", "one JSON document")
    .action(list);
  return withNamespace(port);
}

type AddOptions = DatapathOption & {
  type: PortType;
  number?: number;
  destinationPort?: number;
  gbp?: true;
  json?: true;
};

function add(name: string, options: AddOptions): void {
  const { type, destinationPort, gbp } = options;
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, options.dp);
  const added = addPort(datapath, name, {
    type,
    ...(options.number === undefined ? {} : { number: options.number }),
    tunnel: {
      ...(destinationPort === undefined ? {} : { destinationPort }),
      ...(gbp ? { groupPolicy: true } : {}),
    },
  });
  if (options.json) printJson(added);
}

function del(name: string, options: DatapathOption & { json?: true }): void {
  using channel = new OvsChannel();
  deletePort(openDatapath(channel, options.dp), name);
  if (options.json) printJson({ deleted: name });
}

function move(name: string, options: DatapathOption & { to: string; json?: true }): void {
  using channel = new OvsChannel();
  using to = NetworkNamespace.open(namespaceOf(options.to));
  const datapath = openDatapath(channel, options.dp);
  movePort(datapath, name, to);
  if (options.json) printJson(listPorts(datapath).find((port) => port.name === name));
}

function list(options: DatapathOption & { json?: true }): void {
  using channel = new OvsChannel();
  const ports = listPorts(openDatapath(channel, options.dp));
  if (options.json) printJson(ports);
  else printTable(portTable(ports));
}

/** The table of `port list`: its header, and a row a port. */
export function portTable(ports: readonly PortInfo[]): string[][] {
  // Kernels before 6.3 do not count them.
  const counted = ports.some(({ upcalls }) => upcalls !== undefined);
  return [
    [
      "PORT",
      "NAME",
      "TYPE",
      "RX PACKETS",
      "RX BYTES",
      "TX PACKETS",
      "TX BYTES",
      "DROPPED",
      "ERRORS",
      ...(counted ? ["UPCALLS", "UPCALLS LOST"] : []),
    ],
    ...ports.map(({ number, name, type, stats, upcalls }) => [
      String(number),
      name,
      type,
      count(stats.rxPackets),
      count(stats.rxBytes),
      count(stats.txPackets),
      count(stats.txBytes),
      count(stats.rxDropped + stats.txDropped),
      count(stats.rxErrors + stats.txErrors),
      ...(counted ? [count(upcalls?.success ?? 0), count(upcalls?.fail ?? 0)] : []),
    ]),
  ];
}
