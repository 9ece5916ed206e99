import type { MillraceErrorCode } from "../../sys/error-codes.ts";
import { type UfidSeed, ufidSeed } from "../../flow/key/ufid.ts";
import type { LineVerb } from "../../flow/line.ts";
import type { PortNames } from "../../flow/ports.ts";
import { Batch } from "../../netlink/batch.ts";
import { assert } from "../../sys/errors.ts";
import type { FlowRequests } from "../../ovs/flow-requests.ts";
import type { FlowFeed } from "../feed.ts";
import { type FlowRefusal, type Refusals, NO_KEY, TOO_LONG_MESSAGE } from "../refusals.ts";
import { LINE_AT, MessageCopier, readyRun } from "./messages.ts";
import { changeOwner, type NamelessPort, resolvePorts } from "./ports.ts";
import { FlowSetReader } from "./reader.ts";
import { type ByteSource, UnreadableInputError } from "../source.ts";

// Feeds a load with the chunks of a flow set.

/** How a load uses a flow set. */
export type FlowSetOptions = {
  /** Whether flows keep UFIDs that are the hash of their key and mask. */
  readonly ufid: boolean;
  /** The verb for a flow whose line had none; `put` by default. */
  readonly mode?: LineVerb;
  readonly ports?: PortNames;
  /** Used instead of `ports`, if given. */
  readonly setPorts?: PortNames;
  /** The flows' owner: UFIDs made for another owner are computed again. None by default. */
  readonly owner?: string;
};

/**
 * Feeds flows that were encoded beforehand: a chunk is stamped and sent from the read buffer. A
 * flow sent without its UFID, or as a delete, is copied into the batch of the given requests. An
 * input that can be read twice is checked completely before its first flow is given out; from any
 * other input, the chunks before a damaged one are given out.
 */
export class FlowSetFeed implements FlowFeed {
  line = 0;
  readonly #reader: FlowSetReader;
  readonly #mode: LineVerb;
  readonly #ports: PortNames | undefined;
  readonly #owner: string;
  readonly #seed: UfidSeed;
  readonly #copier: MessageCopier;
  /** Whether most messages are sent without a copy. */
  readonly #sendsAsIs: boolean;
  #checking: boolean;
  /** Requests in the reader's memory. */
  #chunk: FlowRequests | undefined;
  /** The next message of the current chunk. */
  #at = 0;
  /** Flows of the current chunk that name a missing port, and how many of these were passed. */
  #unknown: readonly NamelessPort[] = [];
  #passed = 0;
  #failure: UnreadableInputError | undefined;

  constructor(source: ByteSource, options: FlowSetOptions) {
    this.#reader = new FlowSetReader(source);
    this.#mode = options.mode ?? "put";
    this.#ports = options.setPorts ?? options.ports;
    this.#owner = options.owner ?? "";
    this.#seed = ufidSeed(this.#owner);
    this.#sendsAsIs = options.ufid && this.#mode !== "delete";
    this.#copier = new MessageCopier(options.ufid, this.#mode === "delete");
    this.#checking = source.rewind !== undefined;
  }

  get name(): string {
    return this.#reader.source.name;
  }

  get bytesTotal(): number | undefined {
    return this.#reader.source.size;
  }

  get bytesRead(): number {
    return this.#checking ? 0 : this.#reader.bytesRead;
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    if (this.#checking) return undefined;
    const reader = this.#reader;
    for (;;) {
      while (this.#at < reader.end) {
        const ready = this.#take(requests, refusals);
        if (ready !== undefined) return ready;
        if (requests.batch.full || refusals.full) return requests;
      }
      if (!this.#next()) return undefined;
    }
  }

  fill(): boolean | Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure;
    const reader = this.#reader;
    this.#at = 0;
    const more = reader.fill();
    if (!this.#checking) return more;
    assert(typeof more === "boolean", "an input that can be read twice is at hand");
    if (more) {
      while (reader.next());
    } else {
      reader.rewind();
      this.#checking = false;
    }
    return true;
  }

  close(): void {
    this.#reader.source.close();
  }

  // Moves to the next chunk. {@link fill} reports a damaged one, after everything before it was
  // taken.
  #next(): boolean {
    try {
      if (this.#reader.next()) {
        this.#open();
        return true;
      }
      this.line = this.#reader.lines ?? this.line;
    } catch (error) {
      if (!(error instanceof UnreadableInputError)) throw error;
      this.#failure = error;
    }
    return false;
  }

  #open(): void {
    const { words, start, end, facts } = this.#reader;
    this.#at = start;
    const seed = this.#seed;
    this.#unknown = facts.ports ? resolvePorts(this.#reader, this.#ports, seed) : [];
    if (this.#reader.owner !== this.#owner) changeOwner(words, start, end, seed);
    this.#passed = 0;
  }

  // Puts as many flows of the chunk into the batch as fit, or refuses one. Returns the requests to
  // send first.
  #take(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    const { words, end, facts } = this.#reader;
    const unknown = this.#unknown[this.#passed];
    if (unknown?.at === this.#at) {
      this.#passed++;
      const reason = `found "${unknown.name}", expected a port number${
        this.#ports === undefined ? "" : ", or the name of a port of the datapath"
      }`;
      refusals.add(this.#refuse("FLOW_SYNTAX", reason, unknown.name));
      return undefined;
    }
    const stop = unknown?.at ?? end;
    const { batch } = requests;
    if (this.#sendsAsIs) {
      const runEnd = readyRun(words, this.#at, stop, batch.limit);
      // Messages copied before are sent first.
      if (runEnd > this.#at)
        return batch.count > 0 ? requests : this.#takeAsItLies(requests, runEnd);
    }
    const { i32 } = batch.memory;
    const out = batch.bytes >> 2;
    const most = this.#sendsAsIs ? 1 : batch.limit - batch.count;
    this.#copier.at = this.#at;
    const position = this.#copier.copy(words, stop, i32, out, i32.length, most);
    this.#at = this.#copier.at;
    if (position === out && this.#copier.namesNoFlow(words, this.#at)) {
      refusals.add(this.#refuse("NO_KEY", NO_KEY, ""));
      return undefined;
    }
    if (position === out) {
      // A flow that does not fit an empty arena is longer than a netlink message can be.
      if (batch.count > 0) return requests;
      refusals.add(this.#refuse("EMSGSIZE", TOO_LONG_MESSAGE, ""));
      return undefined;
    }
    requests.commitReady((position - out) * 4, this.#mode, facts.line);
    this.line = batch.tags[batch.count - 1] ?? this.line;
    return undefined;
  }

  // Takes the messages up to word `end` of the chunk without a copy.
  #takeAsItLies(requests: FlowRequests, end: number): FlowRequests {
    const { memory, facts } = this.#reader;
    const { capacity, limit } = requests.batch;
    if (this.#chunk?.batch.memory !== memory)
      this.#chunk = requests.in(new Batch(capacity, memory));
    const chunk = this.#chunk;
    const { batch } = chunk;
    batch.limit = limit;
    batch.restart(this.#at * 4);
    chunk.commitReady((end - this.#at) * 4, this.#mode, facts.line);
    this.#at = end;
    this.line = batch.tags[batch.count - 1] ?? this.line;
    return chunk;
  }

  // Refuses the current flow.
  #refuse(code: MillraceErrorCode, reason: string, text: string): FlowRefusal {
    const { words, facts } = this.#reader;
    this.line = facts.line + (words[this.#at + LINE_AT] ?? 0);
    this.#at += (words[this.#at] ?? 0) >> 2;
    return { line: this.line, column: 1, code, reason, text };
  }
}
