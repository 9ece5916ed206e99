import { NO_KEY, TOO_LONG_MESSAGE } from "../refusals.ts";
import type { MillraceErrorCode } from "../../sys/error-codes.ts";
import { FlowLineEncoder } from "../../flow/line.ts";
import type { PortNames } from "../../flow/ports.ts";
import type { Refusal } from "../../flow/rules/refusal.ts";
import type { FlowJudge } from "../../flow/shape/flow-judge.ts";
import { KEY_AT, UFID_AT } from "./messages.ts";
import type { FlowSetWriter, PortUse } from "./writer.ts";
import type { LineEncoder } from "../text-feed.ts";

/**
 * A line that names ports is encoded twice, with different numbers for the names: exactly the words
 * that differ hold port numbers.
 */
const NUMBERS_ONCE = 0x1000_0000;
const NUMBERS_TWICE = 0x2000_0000;

/** The result of a line: why it was refused, or that it holds no flow. */
type FlowSetLine =
  | "added"
  | "blank"
  | { readonly code: MillraceErrorCode; readonly reason: string; readonly broken?: Refusal };

/** Adds flows to a flow set, one per line. */
export class FlowSetLines {
  readonly #out: FlowSetWriter;
  readonly #names = new StandInNames();
  readonly #flow: FlowLineEncoder;
  readonly #encoder: LineEncoder;
  readonly #judge: FlowJudge | undefined;

  /**
   * @param judge refuses flows that no kernel takes; without it the load finds them
   * @param wrap makes the reader of lines that are not text, which uses the given encoder
   */
  constructor(
    out: FlowSetWriter,
    judge: FlowJudge | undefined,
    wrap?: (encoder: FlowLineEncoder) => LineEncoder,
  ) {
    this.#out = out;
    this.#judge = judge;
    this.#flow = new FlowLineEncoder({ ufid: true, owner: out.owner, ports: this.#names });
    this.#encoder = wrap === undefined ? this.#flow : wrap(this.#flow);
  }

  /** Facts of the line added last, or found blank; see `FlowLineEncoder`. */
  get flow(): Pick<FlowLineEncoder, "completed" | "isHeader" | "members"> {
    return this.#flow;
  }

  /** Adds the flow of line number `line`, the bytes `start` to `end`. @throws FlowSyntaxError */
  add(bytes: Uint8Array, start: number, end: number, line: number): FlowSetLine {
    if (!this.#encode(NUMBERS_ONCE, bytes, start, end, line)) return "blank";
    let ports: readonly PortUse[] | undefined = [];
    if (this.#names.used) {
      const once = this.#out.copy();
      this.#encode(NUMBERS_TWICE, bytes, start, end, line);
      ports = this.#findPorts(once, this.#out.copy());
    }
    if (ports === undefined) {
      const reason = "a port is named where its number is not used as it is: give its number";
      return { code: "PORT_NAME", reason };
    }
    const { verb, ownUfid } = this.#flow;
    if (!this.#out.hasWholeUfid()) {
      return { code: "SHORT_UFID", reason: "a flow set has room for UFIDs of 16 bytes alone" };
    }
    if (verb === "delete" && !this.#out.hasKey()) {
      return { code: "NO_KEY", reason: NO_KEY };
    }
    const broken = this.#judge?.brokenRule(this.#out.flowWith(ports));
    if (broken !== undefined) return { code: "FLOW_REFUSED", reason: broken.reason, broken };
    if (this.#out.commit({ verb, line, ownUfid, ports })) return "added";
    return { code: "EMSGSIZE", reason: TOO_LONG_MESSAGE };
  }

  #encode(
    firstNumber: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    line: number,
  ): boolean {
    this.#names.begin(firstNumber);
    return this.#encoder.encode(bytes, start, end, line, this.#out.begin());
  }

  // The places of port numbers; undefined if they cannot be determined.
  #findPorts(once: Int32Array, twice: Int32Array): PortUse[] | undefined {
    if (once.length !== twice.length) return undefined;
    const found: PortUse[] = [];
    for (let word = 0; word < once.length; word++) {
      // The words of the UFID also differ: it is computed when the port's number is known.
      if (once[word] === twice[word] || (word > UFID_AT && word < KEY_AT)) continue;
      const index = (once[word] ?? 0) - NUMBERS_ONCE;
      const name = this.#names.nameAt(index);
      if (name === undefined || (twice[word] ?? 0) - NUMBERS_TWICE !== index) return undefined;
      found.push({ word, name });
    }
    return found;
  }
}

/** Accepts every name as a port's, and gives it a stand-in number. */
class StandInNames implements PortNames {
  /** Whether a name was looked up since {@link begin}. */
  used = false;
  #first = 0;
  readonly #names: string[] = [];
  readonly #indexes = new Map<string, number>();

  /** Starts a line; stand-in numbers count from `first`. */
  begin(first: number): void {
    this.#first = first;
    this.used = false;
  }

  numberOf(name: string): number {
    this.used = true;
    let index = this.#indexes.get(name);
    if (index === undefined) {
      index = this.#names.push(name) - 1;
      this.#indexes.set(name, index);
    }
    return this.#first + index;
  }

  nameOf(): undefined {
    return undefined;
  }

  nameAt(index: number): string | undefined {
    return this.#names[index];
  }
}
