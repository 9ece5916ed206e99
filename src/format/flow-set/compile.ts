import { FlowSyntaxError } from "../../flow/text/syntax-error.ts";
import { quote } from "../../flow/rules/quote.ts";
import { FlowJudge } from "../../flow/shape/flow-judge.ts";
import type { LineNotes } from "../feed.ts";
import { type FlowRefusal, refusalOfSyntax } from "../refusals.ts";
import { FlowSetLines } from "./lines.ts";
import type { FlowSetWriter } from "./writer.ts";
import { FlowJsonLineEncoder } from "../../flow/json.ts";
import type { ByteSource } from "../source.ts";
import { LineReader, TOO_LONG_LINE } from "../text-lines.ts";

/** Formats of lines that can be compiled. */
export type LineFormat = "text" | "jsonl";

/** How lines are compiled. */
type CompileOptions = {
  /**
   * Whether to refuse flows that no kernel takes, as a dry run does; otherwise the load finds them.
   * True by default.
   */
  readonly judges?: boolean;
};

/** Lines compiled per step. */
const LINES_PER_STEP = 8192;

/** Turns an input of lines into a flow set. The caller alternates {@link step} and {@link fill}. */
export class FlowSetCompiler {
  readonly #input: LineReader;
  readonly #out: FlowSetWriter;
  readonly #lines: FlowSetLines;
  readonly #refuse: (refusal: FlowRefusal) => void;
  #completed = 0;
  #headers = 0;

  constructor(
    source: ByteSource,
    format: LineFormat,
    out: FlowSetWriter,
    refuse: (refusal: FlowRefusal) => void,
    { judges = true }: CompileOptions = {},
  ) {
    this.#input = new LineReader(source);
    this.#out = out;
    this.#refuse = refuse;
    const judge = judges ? new FlowJudge() : undefined;
    this.#lines =
      format === "jsonl"
        ? new FlowSetLines(out, judge, (encoder) => new FlowJsonLineEncoder(encoder))
        : new FlowSetLines(out, judge);
  }

  /** Lines taken so far. */
  get line(): number {
    return this.#input.line;
  }

  get notes(): LineNotes {
    const members = [...this.#lines.flow.members];
    return { completed: this.#completed, passedOver: { headers: this.#headers, members } };
  }

  get bytesRead(): number {
    return this.#input.bytesRead;
  }

  /** Compiles lines that are already read. @returns false when {@link fill} is due */
  step(): boolean {
    for (let i = 0; i < LINES_PER_STEP; i++) {
      if (!this.#input.next()) return false;
      this.#compile();
    }
    return true;
  }

  /** As `LineReader.fill`. @throws UnreadableInputError */
  fill(): boolean | Promise<boolean> {
    return this.#input.fill();
  }

  /** Ends the set. */
  finish(): void {
    this.#out.finish(this.#input.line);
  }

  close(): void {
    this.#input.close();
  }

  #compile(): void {
    const { buffer, start, end, line, overlong } = this.#input;
    if (overlong) {
      this.#refuse({ line, column: 1, code: "LINE_TOO_LONG", reason: TOO_LONG_LINE, text: "" });
      return;
    }
    try {
      const done = this.#lines.add(buffer, start, end, line);
      const { flow } = this.#lines;
      if (typeof done === "object") {
        const { code, reason, broken } = done;
        this.#refuse({ line, code, reason, ...quote(buffer.subarray(start, end), broken) });
      } else if (done === "blank") this.#headers += flow.isHeader ? 1 : 0;
      else if (flow.completed) this.#completed++;
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      this.#refuse(refusalOfSyntax(line, error));
    }
  }
}
