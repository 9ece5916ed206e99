import { AttributeWriter } from "../netlink/attribute-writer.ts";
import { monotonicMs } from "../sys/clock.ts";
import { PinnedMemory } from "../sys/memory.ts";
import type { FlowJson } from "./json.ts";
import { KeyRecord } from "./key/record.ts";
import { ufidSeed } from "./key/ufid.ts";
import { FlowLineEncoder } from "./line.ts";
import type { PortNames } from "./ports.ts";
import {
  copyFlow,
  decodeFlow,
  type FlowParts,
  hasGivenUfid,
  isOwned,
  identityOf,
  newFlowParts,
  type FlowIdentity,
  FLOW_BYTES_MAX,
} from "./parts.ts";
import { printFlow } from "./print.ts";
import { TextSink } from "./text/sink.ts";
import { notOneFlow } from "./text/syntax-error.ts";
import { printUfid, ufidOf } from "./text/ufid.ts";

/** The buffer for parsing, reused: each flow copies its bytes. */
let parseWriter: AttributeWriter | undefined;

/** How {@link Flow.parse} reads. */
export type FlowParseOptions = {
  /** The ports that names refer to. */
  readonly ports?: PortNames;
  /** The flow's owner, who is part of its UFID; none by default. */
  readonly owner?: string;
};

/** How {@link Flow.toString} prints. */
export type FlowTextOptions = {
  /** Also prints wildcarded fields and the UFID, as `ovs-dpctl dump-flows -m` does. */
  readonly verbose?: boolean;
  /** Packets, bytes and last use. */
  readonly statistics?: boolean;
  /** Port names instead of numbers. */
  readonly ports?: PortNames;
  /** Milliseconds on CLOCK_MONOTONIC, for `used:`; now by default. */
  readonly nowMs?: number;
};

/**
 * One flow: a value that owns its bytes, from text or from the kernel. For programs that look at
 * single flows; a load makes none.
 */
export class Flow {
  /** Packets and bytes that it has handled, and when the last one came, as `monotonicMs` counts (0: never). */
  readonly packets: number;
  readonly byteCount: number;
  readonly usedMs: number;
  /** TCP flags that it has seen. */
  readonly tcpFlags: number;
  readonly #parts: FlowParts;

  private constructor(parts: FlowParts) {
    this.#parts = parts;
    this.packets = parts.packets;
    this.byteCount = parts.byteCount;
    this.usedMs = parts.usedMs;
    this.tcpFlags = parts.tcpFlags;
  }

  /**
   * Reads a flow as a line of ovs-dpctl's add-flows or dump-flows, without a verb. If it has no
   * `ufid:`, its UFID is the hash of its key and mask.
   * @throws FlowSyntaxError
   */
  static parse(text: string, options: FlowParseOptions = {}): Flow {
    parseWriter ??= new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX));
    const writer = parseWriter;
    writer.reset(0, FLOW_BYTES_MAX);
    const line = new TextEncoder().encode(text);
    const encoder = new FlowLineEncoder({ ...options, ufid: true });
    if (!encoder.encode(line, 0, line.length, 1, writer) || encoder.verb !== "put") {
      throw notOneFlow(text);
    }
    return Flow.fromAttributes(writer.memory.u8, 0, writer.position);
  }

  /** A flow from the attributes of a request; copies them. */
  static fromAttributes(bytes: Uint8Array, start: number, end: number): Flow {
    const own = bytes.slice(start, end);
    const parts = newFlowParts();
    const view = new DataView(own.buffer, own.byteOffset, own.byteLength);
    decodeFlow({ bytes: own, view, start: 0, end: own.length }, parts);
    return new Flow(parts);
  }

  /** A flow from the parts that a dump gives; copies its bytes. */
  static fromParts(parts: FlowParts): Flow {
    return new Flow(copyFlow(parts));
  }

  /** The UFID: a UUID, or `0x…` if it is shorter; undefined for a flow identified by its key. */
  get ufid(): string | undefined {
    return ufidOf(this.#parts);
  }

  /** Whether its UFID is the hash of its match for an owner; no owner by default. */
  isOwnedBy(owner = ""): boolean {
    return isOwned(this.#parts, ufidSeed(owner));
  }

  /** Its identity: the UFID, or the key if it has none. */
  get identity(): FlowIdentity {
    return identityOf(this.#parts);
  }

  /** The ranges of its attributes' payloads. The flow owns the bytes: do not write to them. */
  get parts(): FlowParts {
    return this.#parts;
  }

  /** The flow as `dump --json` has it: its key and actions, and its counters if it has any. */
  toJSON(): FlowJson {
    const { printedLineToJson }: typeof import("./json.ts") = require("./json.ts");
    return printedLineToJson(this.toString({ statistics: this.packets > 0 }));
  }

  /** The flow as a line that {@link parse} and `ovs-dpctl add-flows` read; keeps a given UFID. */
  toString(options: FlowTextOptions = {}): string {
    const out = new TextSink(512);
    const { bytes, ufid } = this.#parts;
    if (options.verbose !== true && hasGivenUfid(this.#parts)) {
      printUfid(out, bytes, ufid.start, ufid.end);
      out.text(", ");
    }
    const style = {
      verbose: options.verbose ?? false,
      statistics: options.statistics ?? false,
      ...(options.ports === undefined ? {} : { ports: options.ports }),
    };
    printFlow(this.#parts, new KeyRecord(), out, style, options.nowMs ?? monotonicMs());
    return out.toString();
  }
}

// What `console.log` shows.
Object.defineProperty(Flow.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: Flow): string {
    return `Flow ${this.toString({ statistics: this.packets > 0 })}`;
  },
});
