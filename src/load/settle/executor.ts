import { ufidSeed } from "../../flow/key/ufid.ts";
import { type Batch, MessageState } from "../../netlink/batch.ts";
import type { Transactor } from "../../netlink/transactor.ts";
import { commandOf, hasUfid, verbOf } from "../../ovs/flow-request.ts";
import { FlowRequests } from "../../ovs/flow-requests.ts";
import { EEXIST, EIO, ENODEV, ENOENT, EPERM } from "../../sys/errno.ts";
import { OVS_FLOW_CMD_NEW } from "../../uapi/openvswitch.ts";
import { FollowUps } from "./follow-ups.ts";
import { FoundBy, Held, HeldFlows } from "./held-flows.ts";
import type { SendConnection, LoadTarget } from "../send/connection.ts";
import { NamedFlows } from "../named-flows.ts";
import { onlyCreates, Segments } from "./segments.ts";

/** The most flows that are looked up at once. */
const LOOK_MAX = 1024;

/** What was found for a request whose reply was lost. */
export const ReadBack = { unknown: 0, present: 1, absent: 2 } as const;

/** How requests are carried out. */
export type ExecuteOptions = {
  /** Whether an `add` of a flow that exists with the same actions counts as applied. */
  readonly tolerateExisting: boolean;
  /** Whether flows are found only by the identity in their requests, as `ovs-dpctl` finds them. */
  readonly exactIdentity?: boolean;
  /**
   * Whether the flow with the UFID of a modify or a delete is the intended one, because it was read a
   * moment ago: it is not read again.
   */
  readonly knownUfids?: boolean;
  /** Called for each looked-up message whose flow was there before, with the message's tag. */
  readonly onFound?: (tag: number) => void;
};

/**
 * Carries out the requests of a batch, in order, and finds the outcome of each.
 *
 * The kernel compares less than a request says: it carries out a SET or DEL by UFID whatever the
 * key is, and one by key whatever the mask is. So the flow of a modify or a delete is read first,
 * unless the caller has just read it, and the request is sent only if that is the intended flow. A put is sent directly, and refused
 * with EEXIST if a flow is in its way; then that flow is read, and if it is the intended one, its
 * actions are set. A load that meets mostly such flows also reads first: then flows that are
 * already as requested are not sent at all.
 *
 * Nothing is sent twice: a request whose reply was lost is read back.
 */
export class Executor {
  /** Whether to look up the flows of puts before they are sent. */
  lookFirst = false;
  /** A {@link ReadBack} for each message that is {@link MessageState.lost}. */
  readonly readBack: Uint8Array;
  readonly held: HeldFlows;

  readonly #options: ExecuteOptions;
  readonly #transactor: Transactor;
  readonly #followUps: FollowUps;
  readonly #segments: Segments;
  readonly #named: NamedFlows;
  /** Refused messages whose flow a later message of the segment created. */
  readonly #createdLater = new Set<number>();
  #batch: Batch | undefined;
  /**
   * The number of puts in the batch, and of those whose flow existed: if these are most, looking
   * first pays.
   */
  #puts = 0;
  #putsThere = 0;
  #start = 0;
  #end = 0;
  #at = 0;
  #phase: "cut" | "look" | "resolve" = "cut";
  #abandoned = false;

  constructor(target: LoadTarget, connection: SendConnection, options: ExecuteOptions) {
    const { batch, followUps, transactor } = connection;
    const { capacity } = batch;
    this.#options = options;
    this.readBack = new Uint8Array(capacity);
    const seed = ufidSeed(target.owner);
    this.held = new HeldFlows(() => connection.readsOf(target), capacity, seed);
    this.#transactor = transactor;
    this.#followUps = new FollowUps(FlowRequests.to(target.datapath, followUps), transactor, seed);
    this.#segments = new Segments(capacity);
    this.#named = new NamedFlows(capacity);
  }

  /** Takes a batch. @param sent whether its messages were already sent and have their states */
  begin(batch: Batch, sent: boolean): void {
    this.#batch = batch;
    this.#start = this.#at = 0;
    this.#end = sent ? batch.count : 0;
    this.#phase = sent ? "resolve" : "cut";
    this.#puts = this.#putsThere = 0;
    // Facts about messages of the previous batch do not apply to this one.
    this.#createdLater.clear();
    this.held.others.clear();
    if (sent) this.#findCreatedLater(batch);
  }

  /** Stops asking the kernel: unsent messages stay unsent, and doubtful ones stay unknown. */
  abandon(): void {
    this.#abandoned = true;
  }

  /**
   * Continues the batch.
   * @param due when to pause, a time of performance.now(); never for Infinity
   * @returns whether it is done: then states, errnos and failures of the batch are final
   */
  go(due: number): boolean {
    const batch = this.#batch;
    if (batch === undefined) return true;
    for (;;) {
      if (this.#phase === "cut") {
        if (this.#end === batch.count || this.#isOver(batch)) break;
        this.#start = this.#at = this.#end;
        this.#end = this.#segments.end(batch, this.#start, this.lookFirst);
        this.#phase = "look";
      } else if (this.#phase === "look") {
        if (this.#lookNext(batch)) {
          this.#sendSegment(batch);
          this.#findCreatedLater(batch);
          this.#at = this.#start;
          this.#phase = "resolve";
        }
      } else if (this.#resolveNext(batch)) {
        this.#phase = "cut";
      }
      if (due !== Number.POSITIVE_INFINITY && performance.now() >= due) return false;
    }
    let failures = 0;
    for (let i = 0; i < batch.count; i++) {
      if (batch.states[i] !== MessageState.accepted) failures++;
    }
    batch.failures = failures;
    this.lookFirst = this.#putsThere * 2 > this.#puts;
    this.#batch = undefined;
    return true;
  }

  // Whether nothing more is sent, because the kernel takes no more flows or the load was abandoned.
  // Unsent messages get that state.
  #isOver(batch: Batch): boolean {
    const sent = batch.errnos.subarray(0, this.#end);
    const fatal = [ENODEV, EPERM].find((errno) => sent.includes(errno));
    if (fatal === undefined && !this.#abandoned) return false;
    batch.states.fill(MessageState.unsent, this.#end, batch.count);
    batch.errnos.fill(fatal ?? 0, this.#end, batch.count);
    return true;
  }

  // Looks up some of the flows. Returns whether all were looked up.
  #lookNext(batch: Batch): boolean {
    const some: number[] = [];
    for (; this.#at < this.#end && some.length < LOOK_MAX; this.#at++) {
      if (this.#isLookedAt(batch, this.#at)) some.push(this.#at);
    }
    if (some.length > 0) this.#look(batch, some);
    return this.#at === this.#end;
  }

  #isLookedAt(batch: Batch, index: number): boolean {
    if (commandOf(batch, index) !== OVS_FLOW_CMD_NEW) {
      return this.#options.knownUfids !== true || !hasUfid(batch, index);
    }
    return this.lookFirst && verbOf(batch, index) === "put";
  }

  #look(batch: Batch, messages: readonly number[]): void {
    this.held.look(batch, messages, this.#options.exactIdentity !== true);
  }

  // Sends the messages of the segment that remain after the look, in order.
  #sendSegment(batch: Batch): void {
    const { states, errnos } = batch;
    if (!this.lookFirst && onlyCreates(batch, this.#start, this.#end)) {
      this.#transactor.executePart(batch, this.#start, this.#end);
      return;
    }
    const followUps = this.#followUps;
    for (let i = this.#start; i < this.#end; i++) {
      if (!this.#isLookedAt(batch, i)) {
        followUps.send(batch, i);
        continue;
      }
      const verb = verbOf(batch, i);
      const held = this.held.states[i];
      const isThere = held === Held.match || held === Held.same;
      if (isThere) this.#options.onFound?.(batch.tags[i] ?? 0);
      if (verb === "put") this.#countPut(isThere);
      if (verb === "put" && (held === Held.none || held === Held.unknown)) {
        followUps.send(batch, i);
      } else if (verb === "put" && held === Held.same) {
        states[i] = MessageState.accepted;
        errnos[i] = 0;
      } else if (isThere) {
        this.#act(batch, i, verb === "delete" ? "delete" : "modify");
      } else {
        const errno = verb === "put" ? EEXIST : ENOENT;
        states[i] = held === Held.unknown ? MessageState.unsent : MessageState.rejected;
        errnos[i] = held === Held.unknown ? EIO : errno;
      }
    }
    followUps.flush(batch);
  }

  // Finds refused puts whose flow a later put created. The refused put may have met a flow that is
  // gone since, or one with its UFID, or may not have been reached, while a later put with its key,
  // with any UFID, created a flow. The first put must not change what the later one made. Its own
  // flow was not in its way, since that would also have been in the way of the later one.
  #findCreatedLater(batch: Batch): void {
    const { states, errnos } = batch;
    const isDoubtful =
      errnos.subarray(this.#start, this.#end).includes(EEXIST) ||
      states.subarray(this.#start, this.#end).includes(MessageState.lost);
    if (!isDoubtful) return;
    this.#named.clear();
    for (let i = this.#end - 1; i >= this.#start; i--) {
      if (commandOf(batch, i) !== OVS_FLOW_CMD_NEW) continue;
      if (batch.states[i] === MessageState.accepted) this.#named.addKey(batch, i);
      else if (this.#named.hasKey(batch, i)) this.#createdLater.add(i);
    }
  }

  #countPut(isThere: boolean): void {
    this.#puts++;
    if (isThere) this.#putsThere++;
  }

  #act(batch: Batch, index: number, verb: "modify" | "delete"): void {
    const by = this.held.foundBy[index] ?? FoundBy.own;
    this.#followUps.act(batch, index, verb, by);
  }

  // Resolves some of the doubtful messages. Returns whether all of the segment are settled.
  #resolveNext(batch: Batch): boolean {
    const some: number[] = [];
    this.#named.clear();
    for (; this.#at < this.#end && some.length < LOOK_MAX; this.#at++) {
      const index = this.#at;
      if (!this.#isInDoubt(batch, index)) continue;
      if (this.#abandoned) {
        this.readBack[index] = ReadBack.unknown;
        continue;
      }
      // A message must find what the previous one set.
      if (this.#named.hasOrAdd(batch, index)) break;
      some.push(index);
    }
    if (some.length > 0) this.#resolve(batch, some);
    return this.#at === this.#end;
  }

  #isInDoubt(batch: Batch, index: number): boolean {
    const state = batch.states[index];
    if (state === MessageState.lost) return true;
    if (state === MessageState.accepted) {
      if (!this.lookFirst && verbOf(batch, index) === "put") this.#puts++;
      return false;
    }
    if (state !== MessageState.rejected || batch.errnos[index] !== EEXIST) return false;
    if (this.#createdLater.has(index)) return false;
    // A flow looked up before it was sent is known.
    const isKnown = this.held.others.has(index) && this.held.states[index] === Held.other;
    if (this.lookFirst && isKnown) return false;
    const verb = verbOf(batch, index);
    return verb === "put" || (verb === "add" && this.#options.tolerateExisting);
  }

  #resolve(batch: Batch, messages: readonly number[]): void {
    this.#look(batch, messages);
    const lost = messages.filter((index) => batch.states[index] === MessageState.lost);
    for (const index of messages) {
      const verb = verbOf(batch, index);
      const held = this.held.states[index];
      if (batch.states[index] === MessageState.lost) {
        this.readBack[index] = readBackOf(held);
        const isOvertaken = this.#createdLater.has(index);
        if (verb === "put" && held === Held.match && !isOvertaken)
          this.#act(batch, index, "modify");
        continue;
      }
      const isThere = held === Held.match || held === Held.same;
      if (isThere) this.#options.onFound?.(batch.tags[index] ?? 0);
      if (verb === "put") this.#countPut(isThere);
      if (held === Held.same) {
        batch.states[index] = MessageState.accepted;
        batch.errnos[index] = 0;
      } else if (held === Held.match && verb === "put") {
        this.#act(batch, index, "modify");
      } else if (held === Held.unknown) {
        batch.states[index] = MessageState.lost;
        this.readBack[index] = ReadBack.unknown;
      }
    }
    this.#followUps.flush(batch);
    this.#readBackFollowUps(batch, messages, lost);
  }

  // Reads back, once, each follow-up whose reply was lost. Messages lost before were already read
  // back, and keep that result.
  #readBackFollowUps(batch: Batch, messages: readonly number[], lost: readonly number[]): void {
    const retried = messages.filter(
      (i) => batch.states[i] === MessageState.lost && this.held.states[i] === Held.match,
    );
    if (retried.length > 0) this.#look(batch, retried);
    for (const index of retried) {
      this.readBack[index] = readBackOf(this.held.states[index]);
    }
    for (const index of lost) {
      const state = batch.states[index];
      if (state === MessageState.lost) continue;
      // That the follow-up was refused does not say that the request was.
      batch.states[index] = MessageState.lost;
      this.readBack[index] = state === MessageState.accepted ? ReadBack.present : ReadBack.absent;
    }
  }
}

// Whether a flow is there as requested; a delete has no actions to compare.
function readBackOf(held: number | undefined): number {
  if (held === Held.unknown) return ReadBack.unknown;
  return held === Held.same ? ReadBack.present : ReadBack.absent;
}
