import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { FlowLineEncoder } from "../line.ts";
import type { CompiledTemplate } from "./compile.ts";
import type { Stage } from "./stage.ts";

/**
 * Encodes rows as the lines that they stand for: if a value is zero, the message may differ in form
 * from the template's layout.
 */
export class RowText {
  readonly #pieces: readonly string[];
  readonly #encoder: FlowLineEncoder;
  readonly #utf8 = new TextEncoder();

  constructor({ pieces, options }: CompiledTemplate) {
    this.#pieces = pieces;
    this.#encoder = new FlowLineEncoder(options);
  }

  /** Appends the flow of a row of `stage`; a writer without room is left failed. */
  encode(stage: Stage, row: number, writer: AttributeWriter): void {
    let text = this.#pieces[0] ?? "";
    for (let hole = 0; hole + 1 < this.#pieces.length; hole++) {
      text += stage.textOf(hole, row) + (this.#pieces[hole + 1] ?? "");
    }
    const line = this.#utf8.encode(text);
    this.#encoder.encode(line, 0, line.length, 1, writer);
  }
}
