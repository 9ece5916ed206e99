import type { TemplateReader } from "../flow/template.ts";
import type { Batch } from "../netlink/batch.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { FlowFeed } from "./feed.ts";
import { type FlowRefusal, type Refusals, TOO_LONG_MESSAGE } from "./refusals.ts";
import { brokenOff } from "./source.ts";

// Feeds a load with a template's rows.

const TOO_LONG: Omit<FlowRefusal, "line"> = {
  column: 1,
  code: "EMSGSIZE",
  reason: TOO_LONG_MESSAGE,
  text: "",
};

/** Flows of a template; its rows are the lines. */
export class TemplateFeed implements FlowFeed {
  readonly name = "template";
  readonly bytesTotal = undefined;
  /** Always 0: rows have no bytes in the input. */
  readonly bytesRead = 0;
  readonly #reader: TemplateReader;
  /** The current row did not fit and is still to be encoded. */
  #repeats = false;
  /** A framed message to copy, and the offset of its attributes. */
  #message: Int32Array | undefined;
  #base = 0;

  constructor(reader: TemplateReader) {
    this.#reader = reader;
  }

  get line(): number {
    // A row that is still to be encoded does not count as taken.
    return this.#reader.row - (this.#repeats ? 1 : 0);
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    const reader = this.#reader;
    const { batch } = requests;
    for (;;) {
      this.#copy(batch);
      if (batch.full) return requests;
      if (!this.#repeats && !reader.next()) return undefined;
      this.#repeats = false;
      const writer = requests.begin();
      const base = writer.position - batch.bytes;
      if (!reader.encode(writer)) {
        refusals.add({ line: reader.row, code: "FLOW_VALUE", ...reader.refusal });
      } else if (requests.commit(reader.verb, reader.row)) {
        if (reader.isLaidOut) this.#learn(batch, base);
      } else {
        // A flow that does not fit an empty arena is longer than a netlink message can be.
        if (batch.count > 0) this.#repeats = true;
        else refusals.add({ line: reader.row, ...TOO_LONG });
        return requests;
      }
      if (batch.full || refusals.full) return requests;
    }
  }

  fill(): boolean | Promise<boolean> {
    try {
      const more = this.#reader.fill();
      return typeof more === "boolean" ? more : more.catch(this.#fail);
    } catch (cause) {
      return this.#fail(cause);
    }
  }

  close(): void {
    this.#reader.close();
  }

  // Keeps the message of a row encoded the slow way; later rows become copies of it.
  #learn(batch: Batch, base: number): void {
    const start = batch.starts[batch.count - 1] ?? 0;
    this.#message ??= batch.memory.i32.slice(start >> 2, batch.bytes >> 2);
    this.#base = base;
  }

  // Copies rows up to the first that does not fit, which is then encoded the slow way and refused.
  #copy(batch: Batch): void {
    const message = this.#message;
    if (message === undefined || this.#repeats) return;
    const count = this.#reader.encodeCopies(batch, message, this.#base);
    if (count === 0) return;
    batch.commitCopies(count, message.length * 4, this.#reader.row - count + 1);
  }

  // If the rows throw, the input counts as broken off: the rows before are loaded and accounted
  // for.
  readonly #fail = (cause: unknown): never => {
    throw brokenOff(`row ${this.#reader.row + 1} of the template`, cause);
  };
}
