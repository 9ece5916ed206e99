import { closeSync, openSync } from "node:fs";
import type { LineVerb } from "../../flow/line.ts";
import { type ByteSource, fileSource, standardInput } from "../../format/source.ts";
import { type FlowException, hasFailed } from "../../load/outcome.ts";
import { verdictOf } from "../../load/report.ts";
import { startLoad } from "../../load/start-load.ts";
import { flushFlows } from "../../ovs/flow.ts";
import { ENOENT } from "../../sys/errno.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { Exit } from "../exit.ts";
import type { DpctlSession } from "./session.ts";

// ovs-dpctl's commands for files of flows.

/** `add-flows [DP] FILE` */
export function addFlows(session: DpctlSession, args: readonly string[]): Promise<number> {
  return loadFile(session, args, "add");
}

/** `mod-flows [DP] FILE` */
export function modFlows(session: DpctlSession, args: readonly string[]): Promise<number> {
  return loadFile(session, args, "modify");
}

/** `del-flows [DP] [FILE]`; without a file, all flows of the datapath */
export function delFlows(session: DpctlSession, args: readonly string[]): number | Promise<number> {
  const [first] = args;
  if (args.length > 1 || (first !== undefined && !session.exists(first))) {
    return loadFile(session, args, "delete");
  }
  const { datapath } = session.openOptional(args, 1);
  try {
    flushFlows(datapath);
    return 0;
  } catch (error) {
    return session.complainOf("deleting all flows", error);
  }
}

/**
 * Loads a file in packed transactions. Errors are reported with the line's number as soon as they
 * are known.
 */
async function loadFile(
  session: DpctlSession,
  args: readonly string[],
  mode: LineVerb,
): Promise<number> {
  const { datapath } = session.openOptional(args, 3);
  const path = args.at(-1) ?? "-";
  const source = openSource(session, path);
  const target = { datapath };
  using signals = new EndingSignals();
  const { timeout } = session.options;
  const given = timeout === 0 ? [] : [AbortSignal.timeout(timeout * 1000)];
  const report = await startLoad(
    target,
    { source, format: "text" },
    {
      mode,
      ufid: false,
      exactIdentity: true,
      workers: 0,
      onException: (exception) => complain(session, exception),
      signal: AbortSignal.any([signals.signal, ...given]),
    },
  );
  if (report.ended === "interrupted") {
    session.complain(`stopped after line ${report.lines}`);
    return Exit.interrupted;
  }
  if (report.ended === "fatal") {
    session.complain("updating flow table", report.endErrno ?? 0, report.endReason);
  }
  if (report.ended === "unreadable" || report.ended === "failed") {
    session.complain(report.endReason);
  }
  return verdictOf(report) === "applied" ? 0 : 1;
}

function openSource(session: DpctlSession, path: string): ByteSource {
  if (path === "-") return standardInput();
  try {
    // A file that cannot be opened gets ovs-dpctl's message, one that cannot be read the source's.
    closeSync(openSync(path, "r"));
  } catch (error) {
    const errno = error instanceof Error && "errno" in error ? Number(error.errno) : -ENOENT;
    return session.fail(`Opening file "${path}" failed`, Math.abs(errno));
  }
  return fileSource(path);
}

function complain(session: DpctlSession, exception: FlowException): void {
  const { state, line, column, errno, reason } = exception;
  if (state === "refused") {
    session.complain(
      `Failed parsing line number ${line}, skipped!`,
      0,
      `column ${column}: ${reason}`,
      exception,
    );
  } else if (state === "rejected") {
    session.complain("updating flow table", errno, `line ${line}: ${reason}`, exception);
  } else if (hasFailed(exception)) {
    session.complain(`line ${line}: ${reason}`, errno);
  }
}
