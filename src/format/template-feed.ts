import type { TemplateReader } from "../flow/template.ts";
import type { FlowFeed, FlowSink } from "./feed.ts";
import { UnreadableInputError } from "./source.ts";

const TOO_LONG = {
  column: 1,
  code: "EMSGSIZE",
  reason: "longer than a netlink message can be",
  text: "",
};

/** Flows of a template; its rows are the lines. */
export class TemplateFeed implements FlowFeed {
  readonly name = "template";
  readonly bytesTotal = undefined;
  /** Rows have no bytes. */
  readonly bytesRead = 0;
  readonly #reader: TemplateReader;
  /** The current row found no room and is still to be encoded. */
  #again = false;

  constructor(reader: TemplateReader) {
    this.#reader = reader;
  }

  get line(): number {
    // A row that is still to be encoded has not been taken.
    return this.#reader.row - (this.#again ? 1 : 0);
  }

  pump(sink: FlowSink): boolean {
    const reader = this.#reader;
    const { verb } = reader;
    while (this.#again || reader.next()) {
      this.#again = false;
      sink.begin();
      if (!reader.encode(sink.batch.writer)) {
        sink.refuse({ line: reader.row, code: "FLOW_VALUE", ...reader.refusal });
      } else if (!sink.commit(verb, reader.row)) {
        // An empty arena without room for one flow: it is longer than netlink carries.
        if (sink.batch.count > 0) this.#again = true;
        else sink.refuse({ line: reader.row, ...TOO_LONG });
        return true;
      }
      if (sink.batch.full || sink.ended) return true;
    }
    return false;
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

  // Rows that throw are an input that breaks off: those before are loaded and accounted for.
  readonly #fail = (cause: unknown): never => {
    if (cause instanceof UnreadableInputError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const row = this.#reader.row + 1;
    throw new UnreadableInputError(`cannot read row ${row} of the template: ${reason}`, { cause });
  };
}
