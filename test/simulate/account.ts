import type { OutcomeState } from "../../src/load/outcome.ts";
import * as A from "../../src/uapi/openvswitch.ts";
import { hashOf } from "../load/truth.ts";
import { type FlowState, type History, statesOf } from "./history.ts";
import type { Line } from "./lines.ts";
import { must } from "./violation.ts";
import type { World } from "./world.ts";

/*
 * Whether what was said of lines is what happened in the kernel: line by line where a line is the only one about its
 * flow, and by the flow's history where several are.
 */

/** What was said of a line. */
export type Said = { readonly state: OutcomeState; readonly errno: number };

const CREATES: ReadonlySet<Line["verb"]> = new Set(["put", "add"]);

/** How lines were carried out. */
type Manner = {
  /** An add of what is there, or a delete of what is not, may count as applied. */
  readonly tolerates?: boolean;
  /** So many loads of the same lines have one history; what is said is said by the last one, of last lines alone. */
  readonly runs?: number;
};

/** Checks what was said of lines; undefined where nothing was, since the program ended. */
export function checkAccount(
  world: World,
  lines: readonly Line[],
  said: readonly Said[] | undefined,
  { tolerates = false, runs = 1 }: Manner = {},
): void {
  const { history } = world;
  checkRequests(history, lines, runs);
  checkEvents(history, lines, runs > 1 ? undefined : said);
  if (said === undefined) return;
  if (!tolerates) checkDeeds(history, lines, said);
  must(said.length === lines.length, () => `${lines.length} lines, ${said.length} said to be done`);
  const now = world.state === undefined ? undefined : statesOf(world.state.table);
  const counts = new Map<string, number>();
  for (const { meaning } of lines) counts.set(meaning.match, (counts.get(meaning.match) ?? 0) + 1);
  const lasts = new Map(lines.map(({ meaning }, i) => [meaning.match, i]));
  const judged = lines.flatMap((line, i) => {
    const own = said[i];
    const isJudged = own !== undefined && (runs === 1 || lasts.get(line.meaning.match) === i);
    return isJudged ? [{ line, own }] : [];
  });
  if (now !== undefined) checkLast(history, now, judged);
  const touched = touchedByOthers(history);
  for (const { line, own } of judged) {
    checkLine(history, line, own);
    const { match } = line.meaning;
    if ((counts.get(match) ?? 0) > 1 || touched.has(match) || now === undefined) continue;
    checkAlone(history.start.get(match), now.get(match), line, own);
  }
}

function touchedByOthers({ events }: History): ReadonlySet<string> {
  return new Set(events.filter(({ byOther }) => byOther).map(({ match }) => match));
}

// Nothing is sent twice: there is a request of each kind for each line, at most.
function checkRequests(history: History, lines: readonly Line[], runs: number): void {
  const creates = lines.filter(({ verb }) => CREATES.has(verb));
  const changes = lines.filter(({ verb }) => verb === "put" || verb === "modify");
  const deletes = lines.filter(({ verb }) => verb === "delete");
  const most = [
    [A.OVS_FLOW_CMD_NEW, creates.length],
    [A.OVS_FLOW_CMD_SET, changes.length],
    [A.OVS_FLOW_CMD_DEL, deletes.length],
  ] as const;
  for (const [command, once] of most) {
    const limit = once * runs;
    const sent = history.count(command);
    must(
      sent <= limit,
      () => `${sent} requests with command ${command}, ${limit} lines that ask for them`,
    );
  }
  const byBytes = new Map<string, number>();
  for (const { command, bytes } of history.requests) {
    if (command === A.OVS_FLOW_CMD_NEW) byBytes.set(bytes, (byBytes.get(bytes) ?? 0) + 1);
  }
  for (const count of byBytes.values()) {
    if (count === 1) continue;
    const alike = mostAlike(creates) * runs;
    must(count <= alike, () => `a request was sent ${count} times, ${alike} lines are alike`);
  }
}

function mostAlike(lines: readonly Line[]): number {
  const counts = new Map<string, number>();
  for (const { meaning } of lines) {
    const key = `${meaning.match} ${meaning.actions}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}

// What is applied was done by the line itself: a flow that was there is no add's, one that was gone no delete's.
function checkDeeds(history: History, lines: readonly Line[], said: readonly Said[]): void {
  const DEEDS = { add: "put", delete: "removed" } as const;
  const done = new Map<string, number>();
  const count = (key: string, by: number): number => {
    const sum = (done.get(key) ?? 0) + by;
    done.set(key, sum);
    return sum;
  };
  for (const { match, change, byOther } of history.events)
    if (!byOther) count(`${change} ${match}`, 1);
  for (const [i, { verb, meaning, text }] of lines.entries()) {
    if ((verb !== "add" && verb !== "delete") || said[i]?.state !== "applied") continue;
    must(
      count(`${DEEDS[verb]} ${meaning.match}`, -1) >= 0,
      () => `"${text}" is said to be applied, and did nothing`,
    );
  }
}

// Whatever changed was asked for, by a line that was not said to be rejected.
function checkEvents(
  history: History,
  lines: readonly Line[],
  said: readonly Said[] | undefined,
): void {
  const asking = new Map<string, Line[]>();
  for (const [i, line] of lines.entries()) {
    const state = said?.[i]?.state;
    if (state === "rejected" || state === "refused") continue;
    const { match } = line.meaning;
    const others = asking.get(match);
    if (others === undefined) asking.set(match, [line]);
    else others.push(line);
  }
  for (const { match, change, after, byOther } of history.events) {
    if (byOther) continue;
    const asked = asking.get(match)?.some(({ verb, meaning }) => {
      if (change === "put") return CREATES.has(verb) && meaning.actions === after?.actions;
      if (change === "actions") {
        return (verb === "put" || verb === "modify") && meaning.actions === after?.actions;
      }
      return verb === "delete";
    });
    must(
      asked === true,
      () =>
        `${change} of ${match} to ${after?.actions}, which no line asked for that is not rejected`,
    );
  }
}

// What was said was so at some time.
function checkLine(history: History, line: Line, { state, errno }: Said): void {
  const { verb, meaning } = line;
  const states = history.statesOf(meaning.match);
  const tell = (): string =>
    `${state} ${errno} is said of "${line.text}", states ${JSON.stringify(states)}`;
  const isThere = (one: FlowState | undefined): boolean => one !== undefined && isNamed(line, one);
  const isDone = (one: FlowState | undefined): boolean =>
    verb === "delete" ? one === undefined : isThere(one) && one?.actions === meaning.actions;
  if (state === "applied") must(states.some(isDone), tell);
  else if (state === "present")
    must(
      states.some((one) => (verb === "delete" ? isThere(one) : isDone(one))),
      tell,
    );
  else if (state === "absent")
    must(
      states.some((one) => (verb === "delete" ? !isThere(one) : !isDone(one))),
      tell,
    );
  if (state === "applied") must(errno === 0, tell);
  if (state === "rejected") must(errno !== 0, tell);
}

/** A flow has the name that a line gives it. */
function isNamed({ given, match }: Line, { ufid }: FlowState): boolean {
  const hash = hashOf(match);
  if (given !== undefined && given !== hash) return ufid === given;
  return ufid === undefined || ufid === hash;
}

// The last line about a flow that is known to be carried out decides how it is, where those behind it are known not to be.
function checkLast(
  history: History,
  now: ReadonlyMap<string, FlowState>,
  judged: readonly { readonly line: Line; readonly own: Said }[],
): void {
  const touched = touchedByOthers(history);
  const decided = new Set<string>();
  for (const { line, own } of judged.toReversed()) {
    const { match, actions } = line.meaning;
    if (touched.has(match) || decided.has(match)) continue;
    if (own.state === "rejected" || own.state === "refused") continue;
    decided.add(match);
    if (own.state !== "applied") continue;
    const is = now.get(match);
    must(
      line.verb === "delete" ? is === undefined : is?.actions === actions,
      () =>
        `"${line.text}" is the last line of its flow that is applied, and the flow is ${JSON.stringify(is)}`,
    );
  }
}

function checkAlone(
  before: FlowState | undefined,
  after: FlowState | undefined,
  line: Line,
  { state, errno }: Said,
): void {
  const { verb, text, meaning } = line;
  const tell = (): string =>
    `${state} ${errno} is said of "${text}", the flow was ${JSON.stringify(before)} and is ${JSON.stringify(after)}`;
  // One that is named otherwise is not the line's.
  const isThere = after !== undefined && isNamed(line, after);
  const isAsAsked = isThere && (verb === "delete" || after.actions === meaning.actions);
  if (state === "applied") must(verb === "delete" ? after === undefined : isAsAsked, tell);
  else if (state === "present") must(isAsAsked, tell);
  else if (state === "absent") must(!isAsAsked, tell);
  else if (state === "rejected" || state === "refused") {
    must(before?.actions === after?.actions && before?.ufid === after?.ufid, tell);
  }
}
