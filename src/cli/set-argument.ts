import {
  type ByteSource,
  pathSource,
  standardInput,
  UnreadableInputError,
} from "../format/source.ts";
import type { FlowException } from "../load/outcome.ts";
import { OvsChannel } from "../ovs/channel.ts";
import { type DatapathHandle, openDatapath } from "../ovs/datapath.ts";
import { listPorts } from "../ovs/vport.ts";
import { InventedPorts, type NumberedPort, type PortNames, portNamesOf } from "../flow/ports.ts";
import type { Comparison, DiffOptions } from "../state/diff.ts";
import type { FlowTable } from "../state/flow-table.ts";
import type { OpenSet } from "../state/open-set.ts";
import { compareDatapath, readDatapath, readTable } from "../state/read-table.ts";
import { NetworkNamespace } from "../sys/netns.ts";
import { excerpt } from "./excerpt.ts";
import { UsageError } from "./exit.ts";
import { namespaceOf } from "./namespace-option.ts";
import { askForFlows, complain, counted, writeError } from "./output.ts";
import { isTyped } from "./terminal.ts";
import type { Waiting } from "./waiting.ts";

// A set of flows as an argument: a datapath, `dp:NAME`, or a file of flows.

/** The help text about such arguments. */
export const SET_HELP = `
A set is a datapath (dp:NAME, or dp:NAMESPACE/NAME in a network namespace), a file of flows in any
format that 'millrace load' reads, or standard input (-).`;

/** A set of flows, and the ports that its flows name. */
export type SetArgument = {
  readonly table: FlowTable;
  readonly ports: PortNames;
};

/** The ports of a datapath that an argument names. */
export type NamedPorts = { readonly numbered: readonly NumberedPort[] };

/** The flows of a datapath, and its ports. */
type NamedSet = SetArgument & NamedPorts;

/** A datapath in an argument. */
export type NamedDatapath = { readonly name: string; readonly namespace?: string };

/** The name of a datapath in an argument; undefined if it names a file. */
export function datapathIn(argument: string): NamedDatapath | undefined {
  if (!argument.startsWith("dp:")) return undefined;
  const path = argument.slice(3);
  const at = path.lastIndexOf("/");
  if (path === "" || at === path.length - 1)
    throw new UsageError(`${argument}: it names no datapath`);
  return at < 0 ? { name: path } : { name: path.slice(at + 1), namespace: path.slice(0, at) };
}

/** Opens a datapath that an argument names. @param use must not keep the handle */
function withNamed<T>({ name, namespace }: NamedDatapath, use: (handle: DatapathHandle) => T): T {
  using entered =
    namespace === undefined ? undefined : NetworkNamespace.open(namespaceOf(namespace));
  using channel = new OvsChannel(entered);
  return use(openDatapath(channel, name));
}

/** Reads the flows of a datapath. */
export function readNamed(named: NamedDatapath, waiting: Waiting, statistics = false): NamedSet {
  return withNamed(named, (datapath) => {
    const table = readDatapath(datapath, { statistics, onRead: waiting.onRead(named.name) });
    const numbered = listPorts(datapath);
    return { table, ports: portNamesOf(numbered), numbered };
  });
}

/** The ports of a datapath. */
export function portsOfNamed(named: NamedDatapath): NamedPorts {
  return { numbered: withNamed(named, listPorts) };
}

/** Compares the flows of a datapath with a set. */
export function compareNamed(
  before: FlowTable,
  named: NamedDatapath,
  waiting: Waiting,
  options: DiffOptions,
): Comparison {
  return withNamed(named, (datapath) =>
    compareDatapath(before, datapath, { ...options, onRead: waiting.onRead(named.name) }),
  );
}

/**
 * The names of ports in a file that is compared with a datapath. A snapshot may name ports that the
 * datapath no longer has: they are its own, by their old numbers, and a flow that uses one differs.
 * In any other file such a name is a mistake.
 */
export function portsBeside(numbered: readonly NumberedPort[], { facts }: OpenSet): PortNames {
  return facts === undefined
    ? portNamesOf(numbered)
    : new InventedPorts([...numbered, ...facts.ports]);
}

/** How a file of flows is read. */
type FileOptions = {
  readonly owner?: string | undefined;
  /** The ports that its flows may name. */
  readonly ports: PortNames;
  readonly signal: AbortSignal;
  readonly waiting: Waiting;
};

/** Opens a file of flows, so that a missing one is reported before anything else happens. */
export function openFile(file: string): ByteSource {
  if (file === "-") return standardInput();
  try {
    return pathSource(file);
  } catch (error) {
    const isName = error instanceof UnreadableInputError && /^[\w-]+$/.test(file);
    if (!isName) throw error;
    throw new UnreadableInputError(`${error.message} (a datapath is written dp:${file})`);
  }
}

/** Asks the user to type flows, if the file is a terminal. */
export function askWhereTyped(file: string): void {
  if (isTyped(file)) askForFlows();
}

/**
 * Reads all of an open file of flows.
 * @throws UnreadableInputError, also for a line that is not a flow: an incomplete set must not
 * cause deletions
 */
export async function readSource(
  source: ByteSource,
  { owner = "", ports, signal, waiting }: FileOptions,
): Promise<FlowTable> {
  const { table, refused, replaced, errors } = await readTable(
    { source, format: "auto" },
    { owner, ports, signal, onProgress: waiting.onFile(source.name) },
  );
  waiting.clear();
  if (refused > 0) {
    for (const error of errors.slice(0, SHOWN_MAX)) showRefused(error);
    const lines = counted(refused, "line is not a flow", "lines are not flows");
    throw new UnreadableInputError(
      `cannot read ${source.name}: ${lines}, and a set must be complete`,
    );
  }
  if (replaced > 0) {
    const lines = counted(replaced, "flow is", "flows are");
    complain(
      `warning: ${lines} in ${source.name} twice; of two that match the same packets, the later one counts`,
    );
  }
  return table;
}

const SHOWN_MAX = 10;

function showRefused(error: FlowException): void {
  complain(`line ${error.line}, column ${error.column}: ${error.reason}`);
  writeError(excerpt(error, process.stderr.columns));
}
