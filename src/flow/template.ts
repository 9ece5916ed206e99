import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import type { Batch } from "../netlink/batch.ts";
import type { LineVerb } from "./line-parser.ts";
import { type NumberedPort, portNamesOf } from "./ports.ts";
import { type CompiledTemplate, compileTemplate, namesOf } from "./template/compile.ts";
import { checkRows, type RowSource, rowSource, type TemplateRows } from "./template/rows.ts";
import { RowText } from "./template/row-text.ts";
import { PUT_AS_TEXT, Stage } from "./template/stage.ts";
import { expectedOf } from "./template/values.ts";

export type { TemplateColumns, TemplateRow, TemplateRows } from "./template/rows.ts";
export type { TemplateColumn } from "./template/stage.ts";
export type { TemplateValue } from "./template/values.ts";

/** The names in the braces of a template. */
export type HoleNames<Text extends string> = string extends Text
  ? string
  : Text extends `${string}{${infer Name}}${infer Rest}`
    ? (Name extends `${string}=${string}` ? never : Name) | HoleNames<Rest>
    : never;

/** How a template becomes requests. */
export type TemplateOptions = {
  /** Flows get a UFID, the hash of their key and mask; true by default. */
  readonly ufid?: boolean;
  /** The verb, where the text names none; `put` by default. */
  readonly mode?: LineVerb;
  /** For names of ports, in the text and as values: `datapath.ports()`. */
  readonly ports?: readonly NumberedPort[];
};

/**
 * A flow with holes: `in_port(1),eth(),eth_type(0x0800),ipv4(src={src}),… {out}`. It is laid out once,
 * and for each flow only the holes are patched: the fastest way to make flows.
 *
 * A hole stands for a value that a key matches, or for an output port; which values it takes follows
 * from where it stands. A mask behind it is laid over the value. A name may stand in several places.
 */
export class FlowTemplate<Name extends string = string> {
  readonly text: string;
  /** The names of the holes, in the order in which they come first: the order of a tuple. */
  readonly holes: readonly string[];
  readonly #options: TemplateOptions;
  readonly #compiled: CompiledTemplate;

  private constructor(text: string, options: TemplateOptions) {
    this.text = text;
    this.#options = options;
    this.holes = namesOf(text);
    this.#compiled = compile(text, options);
  }

  /** @throws FlowSyntaxError with the place in the template */
  static compile<const Text extends string>(
    text: Text,
    options: TemplateOptions = {},
  ): FlowTemplate<HoleNames<Text>> {
    return new FlowTemplate<HoleNames<Text>>(text, options);
  }

  /**
   * Flows of this template, for `Datapath.load`. The rows are read when they are loaded: a typed array
   * must stay as it is until then.
   * @throws MillraceError `TEMPLATE_COLUMNS` where columns are missing, unknown or of unlike lengths
   */
  fill(rows: TemplateRows<Name>): TemplateFill {
    // What is wrong with the columns is said here, where they come from.
    checkRows(rows, this.#compiled, this.holes);
    return new TemplateFill((options) => this.#read(rows, options));
  }

  #read(rows: TemplateRows<Name>, options: FillOptions): TemplateReader {
    const { ufid = this.#options.ufid ?? true, mode = this.#options.mode ?? "put" } = options;
    const { owner = "" } = options;
    const own = options.ufid === undefined && options.mode === undefined && owner === "";
    const compiled = own
      ? this.#compiled
      : compile(this.text, { ...this.#options, ufid, mode }, owner);
    const source = rowSource(rows, compiled, this.holes);
    return new TemplateReader(this.text, compiled, source, this.#options);
  }
}

/** What a load says of the flows that it makes of a template. */
type FillOptions = Pick<TemplateOptions, "ufid" | "mode"> & {
  /** Whose flows they are: it goes into their UFIDs. Nobody's by default. */
  readonly owner?: string;
};

/** A template and the rows for it: flows that can be loaded, more than once where the rows can be read so. */
export class TemplateFill {
  readonly #read: (options: FillOptions) => TemplateReader;

  constructor(read: (options: FillOptions) => TemplateReader) {
    this.#read = read;
  }

  /** Reads the rows from the first one on. @param options in place of the template's own */
  reader(options: FillOptions = {}): TemplateReader {
    return this.#read(options);
  }
}

/** Why a row is no flow. */
type RowRefusal = {
  readonly column: number;
  readonly reason: string;
  readonly text: string;
};

/** Puts one row after another into messages. Allocates nothing for a row of typed columns. */
export class TemplateReader {
  readonly verb: LineVerb;
  /** 1-based number of the current row. */
  row = 0;
  readonly #text: string;
  readonly #template: CompiledTemplate;
  readonly #source: RowSource;
  readonly #stage: Stage;
  /** Where the current row is in the stage, and rows in it. */
  #at = -1;
  #count = 0;
  #put = -1;
  /** Made when a row first wants it. */
  #rowText: RowText | undefined;

  constructor(
    text: string,
    template: CompiledTemplate,
    source: RowSource,
    options: TemplateOptions,
  ) {
    this.verb = template.verb;
    this.#text = text;
    this.#template = template;
    this.#source = source;
    this.#stage = new Stage(template, options.ports && portNamesOf(options.ports));
  }

  /** Moves to the next row that is at hand. @returns false where {@link fill} has to get more */
  next(): boolean {
    if (this.#at + 1 >= this.#count) return false;
    this.#at++;
    this.row++;
    return true;
  }

  /** Gets more rows. @returns false at the end, a promise where they have to be waited for */
  fill(): boolean | Promise<boolean> {
    const taken = this.#source.take(this.#stage);
    return typeof taken === "number"
      ? this.#begin(taken)
      : taken.then((count) => this.#begin(count));
  }

  /**
   * Appends UFID, KEY, MASK and ACTIONS of the current row to the writer; where that has no room it is
   * left failed, and the row can be encoded again.
   * @returns false where a value does not fit its hole: nothing was written, {@link refusal} says why
   */
  encode(writer: AttributeWriter): boolean {
    this.#put = this.#stage.put(this.#at, writer);
    if (this.#put !== PUT_AS_TEXT) return this.#put < 0;
    this.#rowText ??= new RowText(this.#template);
    this.#rowText.encode(this.#stage, this.#at, writer);
    return true;
  }

  /** The row that was encoded last has the form of the template's layout: others may be copies of it. */
  get isLaidOut(): boolean {
    return this.#put === -1;
  }

  /**
   * Puts rows behind the current one into copies of a message that {@link encode} made and that was
   * framed since; the last of them becomes the current row.
   * @param base where its UFID, or its key, is in the message
   * @returns how many: none where the message is not one to be copied, or no row is at hand that fits
   */
  encodeCopies(batch: Batch, message: Int32Array, base: number): number {
    const next = this.#at + 1;
    if (next >= this.#count || !this.#template.layout.isWhole) return 0;
    const stride = message.length * 4;
    const start = batch.bytes + base;
    const laid = batch.layCopies(message, this.#count - next);
    const good = this.#stage.putCopies(next, laid, batch.memory, start, stride);
    this.#at += good;
    this.row += good;
    return good;
  }

  /** Why {@link encode} returned false. */
  get refusal(): RowRefusal {
    const { layout, places } = this.#template;
    const hole = Math.max(this.#put, 0);
    const place = places[hole];
    const value = this.#source.valueOf(hole, this.#at);
    const expected =
      place === undefined ? "" : expectedOf(place, layout.kind[hole] ?? 0, layout.max[hole] ?? 0);
    const reason =
      value === undefined
        ? `row ${this.row}: no value for {${place?.name}}`
        : `row ${this.row}: {${place?.name}} is ${shown(value)}, expected ${expected}`;
    return { column: place?.column ?? 1, reason, text: this.#text };
  }

  close(): void {
    this.#source.close();
  }

  #begin(count: number): boolean {
    this.#at = -1;
    this.#count = count;
    return count > 0;
  }
}

function compile(text: string, options: TemplateOptions, owner = ""): CompiledTemplate {
  const { ufid = true, mode, ports } = options;
  return compileTemplate(text, {
    ufid,
    owner,
    ...(mode === undefined ? {} : { mode }),
    ...(ports === undefined ? {} : { ports: portNamesOf(ports) }),
  });
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return String(value);
}
