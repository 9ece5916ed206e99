import type { MillraceErrorCode } from "../sys/error-codes.ts";
import { FlowLineEncoder, type FlowLineOptions, type LineVerb } from "../flow/line.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { FlowSyntaxError } from "../flow/text/syntax-error.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { FlowFeed, LineNotes } from "./feed.ts";
import { RereadLines } from "./reread-lines.ts";
import { type FlowRefusal, type Refusals, refusalOfSyntax, TOO_LONG_MESSAGE } from "./refusals.ts";
import type { ByteSource } from "./source.ts";
import { LineReader, TOO_LONG_LINE } from "./text-lines.ts";

/**
 * Turns lines into the attributes of flow requests: `FlowLineEncoder`, or an encoder with the same
 * contract.
 */
export type LineEncoder = {
  /** The verb of the last line. */
  readonly verb: LineVerb;
  /** For text; see `FlowLineEncoder`. */
  readonly completed?: boolean;
  readonly isHeader?: boolean;
  readonly members?: ReadonlySet<string>;
  /** @throws FlowSyntaxError; see `FlowLineEncoder.encode` */
  encode(
    bytes: Uint8Array,
    start: number,
    end: number,
    line: number,
    writer: AttributeWriter,
  ): boolean;
};

/** Flows, one per line, in ovs-dpctl's text unless another encoder is given. */
export class TextFeed implements FlowFeed {
  readonly #lines: LineReader;
  /**
   * Set for an input that can be read twice; otherwise lines are kept while their flows are in
   * flight.
   */
  readonly #readAgain: RereadLines | undefined;
  readonly #encoder: LineEncoder;
  readonly #numberOf: (place: number) => number;
  /** The current line did not fit and is still to be encoded. */
  #repeats = false;
  #completed = 0;
  #headers = 0;

  /** @param numberOf the number of the line at a place of the source, if it has another order */
  constructor(
    source: ByteSource,
    options: FlowLineOptions,
    encoder: LineEncoder = new FlowLineEncoder(options),
    numberOf?: (place: number) => number,
  ) {
    this.#lines = new LineReader(source, numberOf === undefined);
    this.#readAgain = source.reopen === undefined ? undefined : new RereadLines(source.reopen);
    this.#encoder = encoder;
    this.#numberOf = numberOf ?? ((place) => place);
  }

  get name(): string {
    return this.#lines.source.name;
  }

  get bytesTotal(): number | undefined {
    return this.#lines.source.size;
  }

  get bytesRead(): number {
    return this.#lines.bytesRead;
  }

  get line(): number {
    // A line that is still to be encoded does not count as taken.
    return this.#lines.line - (this.#repeats ? 1 : 0);
  }

  get notes(): LineNotes {
    const members = [...(this.#encoder.members ?? [])];
    return { completed: this.#completed, passedOver: { headers: this.#headers, members } };
  }

  lineText(line: number): Uint8Array | undefined {
    return this.#readAgain === undefined ? this.#lines.textOf(line) : this.#readAgain.textOf(line);
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    const { batch } = requests;
    // The outcome of earlier flows is known and was reported.
    if (this.#readAgain === undefined && batch.count === 0) this.#lines.keepFrom(this.line);
    while (this.#repeats || this.#lines.next()) {
      this.#repeats = false;
      if (!this.#take(requests, refusals)) {
        // A flow that does not fit an empty arena is longer than a netlink message can be.
        if (batch.count > 0) this.#repeats = true;
        else refusals.add(refusalOf(this.#numberOf(this.line), "EMSGSIZE", TOO_LONG_MESSAGE));
        return requests;
      }
      if (batch.full || refusals.full) return requests;
    }
    return undefined;
  }

  fill(): boolean | Promise<boolean> {
    return this.#lines.fill();
  }

  close(): void {
    this.#readAgain?.close();
    this.#lines.close();
  }

  // Encodes the current line, or refuses it. Returns false if there is no room for it.
  #take(requests: FlowRequests, refusals: Refusals): boolean {
    const { buffer, start, end, overlong } = this.#lines;
    const line = this.#numberOf(this.#lines.line);
    if (overlong) {
      refusals.add(refusalOf(line, "LINE_TOO_LONG", TOO_LONG_LINE));
      return true;
    }
    const encoder = this.#encoder;
    const writer = requests.begin();
    try {
      if (!encoder.encode(buffer, start, end, line, writer)) {
        if (encoder.isHeader === true) this.#headers++;
        return true;
      }
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      refusals.add(refusalOfSyntax(line, error));
      return true;
    }
    if (!requests.commit(encoder.verb, line)) return false;
    if (encoder.completed === true) this.#completed++;
    return true;
  }
}

function refusalOf(line: number, code: MillraceErrorCode, reason: string): FlowRefusal {
  return { line, column: 1, code, reason, text: "" };
}
