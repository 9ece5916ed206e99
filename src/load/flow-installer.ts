import { parseActions } from "../flow/action/parse.ts";
import { normalize } from "../flow/key/normal-form.ts";
import { decodePacketKey } from "../flow/key/packet-key.ts";
import { KeyRecord } from "../flow/key/record.ts";
import { type UfidSeed, ufidSeed } from "../flow/key/ufid.ts";
import { FlowLineEncoder } from "../flow/line.ts";
import { Cursor } from "../flow/text/cursor.ts";
import { FlowSyntaxError, notOneFlow } from "../flow/text/syntax-error.ts";
import { writeMatch } from "../flow/write.ts";
import { type FlowRefusal, refusalOfSyntax } from "../format/refusals.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import type { Batch } from "../netlink/batch.ts";
import type { FlowVerb } from "../ovs/flow-request.ts";
import { FlowRequests } from "../ovs/flow-requests.ts";
import { portNames } from "../ovs/vport.ts";
import { assert, MillraceError } from "../sys/errors.ts";
import { OVS_FLOW_ATTR_ACTIONS } from "../uapi/openvswitch.ts";
import { Account } from "./account.ts";
import type { FlowException } from "./outcome.ts";
import { SendConnection, type LoadTarget } from "./send/connection.ts";
import { DEFAULT_BATCHING } from "./send/batching.ts";
import { Settler } from "./settle/settler.ts";
import { WaitingNames } from "./waiting-names.ts";

/** The default number of flows between two flushes. */
const CAPACITY = 1024;

/** How flows are collected. */
type FlowInstallerOptions = {
  /** The most flows between two flushes; 1,024 by default. */
  readonly capacity?: number;
};

/** The outcome of the flows of one {@link FlowInstaller.flush}. */
export type FlowInstallerResult = {
  readonly applied: number;
  /**
   * Flows that were not simply applied; `line` counts the flows since the installer was made, from
   * 1.
   */
  readonly exceptions: readonly FlowException[];
};

/** Encodes a flow again into the batch's writer. @throws FlowSyntaxError */
type EncodeFlow = () => FlowVerb;

/** Actions that were parsed before. */
type KnownActions = { readonly list: Uint8Array; readonly namesPort: boolean };

/** The place of a packet's key, as in an upcall. */
type Keyed = { readonly bytes: Uint8Array; readonly keyStart: number; readonly keyEnd: number };

/**
 * Collects flows and sends them together, in packed transactions: for programs that answer misses
 * as they come and would otherwise start a load each time. Owns a socket and an arena. The next
 * flow flushes a full batch; otherwise nothing is sent before {@link flush}.
 */
export class FlowInstaller implements Disposable {
  readonly #batch: Batch;
  readonly #requests: FlowRequests;
  readonly #connection: SendConnection;
  readonly #settler: Settler;
  readonly #account: Account;
  readonly #lines: FlowLineEncoder;
  readonly #seed: UfidSeed;
  readonly #ports: WaitingNames;
  readonly #record = new KeyRecord();
  readonly #cursor = new Cursor();
  readonly #actions = new Map<string, KnownActions>();
  /** The flows of the batch that name ports, by index: numbers may change before they are sent. */
  readonly #named = new Map<number, EncodeFlow>();
  #exceptions: FlowException[] = [];
  #refusals: FlowRefusal[] = [];
  #flows = 0;
  #appliedBefore = 0;

  constructor(target: LoadTarget, options: FlowInstallerOptions = {}) {
    const { capacity = CAPACITY } = options;
    assert(Number.isInteger(capacity) && capacity > 0 && capacity <= 1024, "batch capacity");
    const { datapath, owner = "" } = target;
    this.#seed = ufidSeed(owner);
    this.#ports = new WaitingNames(() => portNames(datapath));
    this.#account = new Account((exception) => this.#exceptions.push(exception));
    this.#lines = new FlowLineEncoder({ ufid: true, owner, ports: this.#ports });
    const datagramsPerCall = Math.ceil(capacity / DEFAULT_BATCHING.messagesPerDatagram);
    this.#connection = new SendConnection(datapath.channel, {
      ...DEFAULT_BATCHING,
      datagramsPerCall,
    });
    this.#batch = this.#connection.batch;
    this.#requests = FlowRequests.to(datapath, this.#batch);
    this.#batch.limit = Math.min(capacity, this.#batch.capacity);
    this.#settler = new Settler(target, this.#connection, this.#account, {
      tolerate: new Set(),
    });
  }

  /** Flows that wait for {@link flush}. */
  get pending(): number {
    return this.#batch.count;
  }

  /**
   * Adds a flow as text, or a `Flow`; a verb in its line takes precedence.
   * @throws FlowSyntaxError
   */
  add(flow: string | { toString(): string }): void {
    const text = flow.toString();
    const line = ENCODER.encode(text);
    const number = this.#flows + 1;
    const encode = (): FlowVerb => {
      const found = this.#lines.encode(line, 0, line.length, number, this.#begin());
      if (!found) throw notOneFlow(text, "a flow: its key and actions");
      return this.#lines.verb;
    };
    const { lookups } = this.#ports;
    while (!this.#keep(encode()));
    if (this.#ports.lookups > lookups) this.#named.set(this.#batch.count - 1, encode);
  }

  /**
   * Adds the flow for exactly the packets of an upcall, every field exact, without making its text.
   * @param actions as in a flow; actions used before are not parsed again
   * @throws FlowSyntaxError in the actions
   */
  answer(upcall: Keyed, actions: string): void {
    const { bytes, keyStart, keyEnd } = upcall;
    const record = this.#record;
    readPacketKey(bytes, keyStart, keyEnd, record);
    let known: KnownActions;
    do {
      // Send before looking up the actions: sending notices renumbered ports.
      if (this.#batch.full) this.#send();
      known = this.#actionsOf(actions);
      writeAnswer(this.#begin(), record, this.#seed, known.list);
    } while (!this.#keep("put"));
    if (!known.namesPort) return;
    const key = bytes.slice(keyStart, keyEnd);
    this.#named.set(this.#batch.count - 1, () => {
      const { list } = this.#actionsOf(actions);
      const own = new KeyRecord();
      readPacketKey(key, 0, key.length, own);
      writeAnswer(this.#begin(), own, this.#seed, list);
      return "put";
    });
  }

  /** Sends the added flows, and waits for their outcomes. */
  flush(): FlowInstallerResult {
    this.#send();
    const { applied } = this.#account.counts;
    const result = { applied: applied - this.#appliedBefore, exceptions: this.#exceptions };
    this.#appliedBefore = applied;
    this.#exceptions = [];
    return result;
  }

  /** Drops flows that were not flushed. */
  [Symbol.dispose](): void {
    this.#connection.close();
  }

  // Does not read the clock, which is a system call in some kernels.
  #send(): void {
    const batch = this.#batch;
    if (batch.count === 0) return;
    if (this.#named.size > 0) {
      if (this.#ports.haveMoved()) this.#nameAnew();
      this.#named.clear();
    }
    this.#account.take(batch, this.#refusals);
    this.#refusals = [];
    if (batch.count > 0) {
      this.#settler.begin(batch, false);
      this.#settler.settle(Number.POSITIVE_INFINITY);
      batch.clear();
    }
    this.#account.tellRefusals();
  }

  // Encodes waiting flows again, in their places, after ports that they name were renumbered.
  #nameAnew(): void {
    const batch = this.#batch;
    const { count } = batch;
    const before = batch.memory.u8.slice(0, batch.bytes);
    const starts = batch.starts.slice(0, count + 1);
    const lines = batch.tags.slice(0, count);
    this.#actions.clear();
    batch.clear();
    for (const [i, line] of lines.entries()) {
      const encode = this.#named.get(i);
      if (encode !== undefined) {
        this.#commitOrRefuse(line, encode);
        continue;
      }
      const message = before.subarray(starts[i], starts[i + 1]);
      batch.memory.u8.set(message, batch.bytes);
      batch.commitReady(message.length, line);
    }
  }

  // Refuses a flow if a name is no longer a port.
  #commitOrRefuse(line: number, encode: EncodeFlow): void {
    try {
      const kept = this.#requests.commit(encode(), line);
      assert(kept, "a flow with another port is as long as before");
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      this.#refusals.push(refusalOfSyntax(line, error));
    }
  }

  // Keeps the current message, or makes room for writing it again.
  #keep(verb: FlowVerb): boolean {
    const batch = this.#batch;
    if (this.#requests.commit(verb, this.#flows + 1)) {
      this.#flows++;
      return true;
    }
    if (batch.count === 0) {
      throw new MillraceError("TOO_LONG", "a flow is longer than a request can be");
    }
    this.#send();
    return false;
  }

  #begin(): AttributeWriter {
    if (this.#batch.full) this.#send();
    return this.#requests.begin();
  }

  #actionsOf(text: string): KnownActions {
    const known = this.#actions.get(text);
    if (known !== undefined) return known;
    const bytes = ENCODER.encode(text);
    // Parses into the batch's writer, without committing.
    const writer = this.#begin();
    const start = writer.position;
    const { lookups } = this.#ports;
    parseActions(this.#cursor.reset(bytes, 0, bytes.length, 1), writer, this.#ports);
    if (writer.failed) throw new MillraceError("TOO_LONG", "the actions are too long");
    const list = writer.memory.u8.slice(start, writer.position);
    const actions = { list, namesPort: this.#ports.lookups > lookups };
    if (this.#actions.size >= ACTIONS_KEPT) this.#actions.clear();
    this.#actions.set(text, actions);
    return actions;
  }
}

const ENCODER = new TextEncoder();

/** The most lists of actions that are remembered: more than a switch has ports. */
const ACTIONS_KEPT = 4096;

/** Reads the key of a packet into `record`, in normal form. */
function readPacketKey(bytes: Uint8Array, start: number, end: number, record: KeyRecord): void {
  if (!decodePacketKey(bytes, start, end, record)) {
    throw new MillraceError("MALFORMED", "the kernel's key is malformed");
  }
  normalize(record);
}

function writeAnswer(
  writer: AttributeWriter,
  record: KeyRecord,
  seed: UfidSeed,
  actions: Uint8Array,
): void {
  writeMatch(writer, record, seed);
  writer.bytes(OVS_FLOW_ATTR_ACTIONS, actions);
}
