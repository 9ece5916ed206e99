import { Command, Option } from "commander";
import { KeyRecord } from "../../flow/key/record.ts";
import { isTextName, type NumberedPort, type PortNames, portNamesOf } from "../../flow/ports.ts";
import { printFlow } from "../../flow/print.ts";
import { TextSink } from "../../flow/text/sink.ts";
import { FLOW_FORMATS, type FlowFormat } from "../../format/detect.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { getDatapath } from "../../ovs/datapath.ts";
import { DumpCheck, doubtInWords } from "../../ovs/dump-check.ts";
import type { FlowParts } from "../../flow/parts.ts";
import { dumpToLoad } from "../../ovs/ordered-dump.ts";
import { listPorts } from "../../ovs/vport.ts";
import { monotonicMs } from "../../sys/clock.ts";
import { MillraceError } from "../../sys/errors.ts";
import { Exit, UsageError } from "../exit.ts";
import { withNamespace } from "../namespace-option.ts";
import { outputEnded, writeOut } from "../output.ts";

// `millrace dump`: the flows of a datapath as text, JSON lines or a flow set.

type Options = {
  dp: string;
  format: FlowFormat;
  json?: true;
  more?: true;
  names?: true;
  stats: boolean;
};

/** Output goes out in pieces of this size. */
const PIECE_BYTES = 256 << 10;

/** `millrace dump`. */
export function dumpCommand(): Command {
  return withNamespace(
    new Command("dump")
      .description(
        "Print the flows of a datapath, as ovs-dpctl dump-flows does. Every dump loads again.",
      )
      .requiredOption("--dp <NAME>", "the datapath")
      .addOption(
        new Option(
          "--format <FORMAT>",
          "text; jsonl: an object a line; msgpack: a flow set, with UFIDs and without statistics",
        )
          .choices(FLOW_FORMATS)
          .default("text"),
      )
      .option("--json", "the same as --format jsonl: an object a line")
      .option("-m, --more", "UFIDs, and wildcarded fields too; implies --names")
      .option("--names", "names of ports instead of numbers")
      .option(
        "--no-stats",
        "without packets, bytes and last use: the same flows give the same dump",
      )
      .action(run),
  );
}

async function run(given: Options, command: Command): Promise<void> {
  const options = given.json ? { ...given, format: jsonFormat(given, command) } : given;
  using channel = new OvsChannel();
  const datapath = getDatapath(channel, options.dp);
  const names = options.names === true || options.more === true;
  const ports = names ? namesOf(listPorts(channel, datapath)) : undefined;
  const dump = await openDump(options, ports);
  const check = DumpCheck.of(channel, datapath);
  for (const view of dumpToLoad(channel, datapath, check)) {
    if (!dump.add(view)) {
      throw new MillraceError("MALFORMED", "the kernel sent a flow that cannot be decoded");
    }
    if (outputEnded()) return;
  }
  dump.finish();
  const doubt = check.doubt();
  if (doubt === undefined) return;
  console.error(`millrace: ${doubtInWords(doubt)}; dump again for the flows of now`);
  process.exitCode = Exit.someFailed;
}

// Who loads the dump elsewhere has to know that some of its ports are numbers of this datapath.
function namesOf(ports: readonly NumberedPort[]): PortNames {
  const nameless = ports.filter(({ name }) => !isTextName(name));
  if (nameless.length > 0) {
    const which = nameless.map(({ number, name }) => `${number} (${JSON.stringify(name)})`);
    console.error(
      `millrace: warning: no text can hold the names of these ports, which are printed as numbers: ` +
        which.join(", "),
    );
  }
  return portNamesOf(ports);
}

/** @throws UsageError where `--format` asks for something else than `--json` does */
function jsonFormat({ format }: Options, command: Command): FlowFormat {
  if (command.getOptionValueSource("format") !== "default" && format !== "jsonl") {
    throw new UsageError(`dump: --json is --format jsonl, and cannot be with --format ${format}`);
  }
  return "jsonl";
}

/** Writes flows to standard output. */
type Dump = {
  /** @returns false where the flow cannot be decoded */
  readonly add: (view: FlowParts) => boolean;
  readonly finish: () => void;
};

async function openDump(options: Options, ports: PortNames | undefined): Promise<Dump> {
  if (options.format === "msgpack") {
    if (process.stdout.isTTY) throw new UsageError("dump: a flow set is not for a terminal");
    const { FlowSetDump } = await import("../../format/flow-set/dump.ts");
    const { FlowSetWriter } = await import("../../format/flow-set/writer.ts");
    const set = new FlowSetDump(new FlowSetWriter(writeOut), ports);
    return { add: (view) => set.add(view), finish: () => set.finish() };
  }
  const style = { verbose: options.more === true, statistics: options.stats, ports };
  const record = new KeyRecord();
  const out = new TextSink(PIECE_BYTES * 2);
  let nowMs = monotonicMs();
  const finish = (): void => {
    writeOut(out.bytes.subarray(0, out.length));
    out.clear();
    // A long dump goes on while time does.
    nowMs = monotonicMs();
  };
  const endLine = (): true => {
    out.byte(NEWLINE);
    if (out.length >= PIECE_BYTES) finish();
    return true;
  };
  if (options.format === "text") {
    return { add: (view) => printFlow(view, record, out, style, nowMs) && endLine(), finish };
  }
  const { printedLineToJson } = await import("../../flow/json.ts");
  const line = new TextSink(4096);
  const add = (view: FlowParts): boolean => {
    line.clear();
    if (!printFlow(view, record, line, style, nowMs)) return false;
    out.unicode(JSON.stringify(printedLineToJson(line.toString())));
    return endLine();
  };
  return { add, finish };
}

const NEWLINE = 10;
