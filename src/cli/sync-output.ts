import type { RolledBack } from "../state/rollback.ts";
import type { Verification } from "../state/verify.ts";
import type { SyncConflict, SyncResult } from "../state/synchronize.ts";
import { Exit } from "./exit.ts";
import { complain, count, counted, printJson, writeOut } from "./output.ts";

// The result of a sync or a restore as text, JSON or an exit status.

/** Source and target of the flows, and the form of the output. */
type SyncStyle = { readonly from: string; readonly to: string; readonly json: boolean };

/** Prints the result of a sync, or why it did nothing. */
export function printSync(result: SyncResult, { from, to, json }: SyncStyle): void {
  if (json) printJson(result);
  else if (result.conflicts.length > 0) {
    for (const conflict of result.conflicts) printConflict(conflict);
    writeOut("nothing was sent\n");
  } else printCounts(result, `${from} → ${to}`);
  if (result.endReason !== "") complain(result.endReason);
  if (result.checkFailure !== "") complain(result.checkFailure);
}

function printCounts(result: SyncResult, goal: string): void {
  const parts = [
    `${count(result.added)} added`,
    `${count(result.changed)} changed`,
    `${count(result.deleted)} deleted`,
    `${count(result.unchanged)} unchanged`,
    ...(result.foreign > 0 ? [`${count(result.foreign)} of other owners left alone`] : []),
    ...(result.failed > 0 ? [`${count(result.failed)} failed`] : []),
    ...(result.unknown > 0 ? [`${count(result.unknown)} unknown`] : []),
  ];
  writeOut(`${goal}: ${parts.join(", ")}; ${counted(result.sent, "request")} sent\n`);
  for (const { code, reason, text } of result.errors) writeOut(`  (${code}) ${reason}: ${text}\n`);
  if (result.rolledBack !== null) printRolledBack(result.rolledBack, "sync");
  if (result.differing === 0) writeOut("verified: the datapath holds the wanted flows\n");
  else if (result.differing !== null) {
    writeOut(`read again: ${counted(result.differing, "flow")} not as wanted\n`);
  }
}

/** Prints what became of a rollback. @param run what was undone */
export function printRolledBack({ sent, failed }: RolledBack, run: "load" | "sync"): void {
  const left = failed === 0 ? `; nothing of this ${run} is left` : `; ${count(failed)} failed`;
  writeOut(`undone: ${counted(sent, "request")} sent${left}\n`);
}

/** How many of the wanted flows a datapath holds. */
export function agreementText({ wanted, equal, missing, different }: Verification): string {
  return [
    `${count(equal)} of ${counted(wanted, "flow")} found with their actions`,
    ...(missing > 0 ? [`${count(missing)} missing`] : []),
    ...(different > 0 ? [`${count(different)} with other actions`] : []),
  ].join(", ");
}

const WHY: Readonly<Record<SyncConflict["why"], string>> = {
  gap: "covers it, or has its UFID, so the kernel refuses the new flow; --allow-gap removes it for a moment",
  never: "has the same masked key: the kernel never holds both",
  foreign:
    "belongs to another owner, and covers it or has its UFID, so the kernel refuses the new flow; --all deletes it",
  taken:
    "exists with other actions and belongs to another owner; --all or --previous FILE changes it",
};

function printConflict({ why, wanted, held }: SyncConflict): void {
  writeOut(`cannot put ${wanted}\n  because  ${held}\n  ${WHY[why]}\n`);
}

/** The exit status of a sync. */
export function statusOfSync(result: SyncResult): number {
  const { ended, conflicts, failed, unknown, differing, checkFailure } = result;
  if (ended === "fatal") return Exit.unavailable;
  if (ended === "interrupted") return Exit.interrupted;
  if (ended !== "complete" || unknown > 0) return Exit.internal;
  const isAsWanted =
    conflicts.length === 0 && failed + (differing ?? 0) === 0 && checkFailure === "";
  return isAsWanted ? Exit.ok : Exit.someFailed;
}
