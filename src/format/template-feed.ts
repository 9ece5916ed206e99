import type { TemplateReader } from "../flow/template.ts";
import type { FlowFeed, FlowSink } from "./feed.ts";

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
    return this.#reader.fill();
  }

  close(): void {
    this.#reader.close();
  }
}
