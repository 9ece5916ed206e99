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
  /** Whether flows get a UFID, the hash of their key and mask; true by default. */
  readonly ufid?: boolean;
  /** The verb if the text has none; `put` by default. */
  readonly mode?: LineVerb;
  /** For names of ports, in the text and as values: `datapath.ports()`. */
  readonly ports?: readonly NumberedPort[];
};

/**
 * A flow with holes: `in_port(1),eth(),eth_type(0x0800),ipv4(src={src}),… {out}`. It is laid out
 * once, then only the holes are patched for each flow: the fastest way to make flows.
 *
 * A hole stands for a value that a key matches, or for an output port; its place determines which
 * values it takes. A mask after it is applied to the value. A name may occur several times.
 */
export class FlowTemplate<Name extends string = string> {
  readonly text: string;
  /**
   * The names of the holes, in the order of their first occurrence, which is the order of a tuple.
   */
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
   * Flows of this template, for `Datapath.load`. The rows are read during the load: a typed array
   * must not change until then.
   * @throws MillraceError `TEMPLATE_COLUMNS` if columns are missing, unknown or of different
   * lengths
   */
  fill(rows: TemplateRows<Name>): TemplateFill {
    // Checked here so that the error appears where the columns come from.
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

/** The options of a load for flows made from a template. */
type FillOptions = Pick<TemplateOptions, "ufid" | "mode"> & {
  /** The flows' owner, who is part of their UFIDs; none by default. */
  readonly owner?: string;
};

/** A template and its rows: flows to load, more than once if the rows can be read again. */
export class TemplateFill {
  readonly #read: (options: FillOptions) => TemplateReader;

  constructor(read: (options: FillOptions) => TemplateReader) {
    this.#read = read;
  }

  /** Reads the rows from the beginning. @param options override the template's */
  reader(options: FillOptions = {}): TemplateReader {
    return this.#read(options);
  }
}

/** Why a row is not a flow. */
type RowRefusal = {
  readonly column: number;
  readonly reason: string;
  readonly text: string;
};

/** Turns rows into messages, one after another. Allocates nothing for a row of typed columns. */
export class TemplateReader {
  readonly verb: LineVerb;
  /** 1-based number of the current row. */
  row = 0;
  readonly #text: string;
  readonly #template: CompiledTemplate;
  readonly #source: RowSource;
  readonly #stage: Stage;
  /** The index of the current row in the stage, and the number of rows there. */
  #at = -1;
  #count = 0;
  #put = -1;
  /** Made when a row first needs it. */
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

  /** Moves to the next staged row. @returns false if {@link fill} has to get more */
  next(): boolean {
    if (this.#at + 1 >= this.#count) return false;
    this.#at++;
    this.row++;
    return true;
  }

  /** Gets more rows. @returns false at the end, a promise if they are not there yet */
  fill(): boolean | Promise<boolean> {
    const taken = this.#source.take(this.#stage);
    return typeof taken === "number"
      ? this.#begin(taken)
      : taken.then((count) => this.#begin(count));
  }

  /**
   * Appends UFID, KEY, MASK and ACTIONS of the current row to the writer. A writer without room is
   * left failed, and the row can be encoded again.
   * @returns false, with nothing written, if a value does not fit its hole; {@link refusal} says
   * why
   */
  encode(writer: AttributeWriter): boolean {
    this.#put = this.#stage.put(this.#at, writer);
    if (this.#put !== PUT_AS_TEXT) return this.#put < 0;
    this.#rowText ??= new RowText(this.#template);
    this.#rowText.encode(this.#stage, this.#at, writer);
    return true;
  }

  /**
   * Whether the row encoded last has the form of the template's layout, so that other rows can be
   * copies of it.
   */
  get isLaidOut(): boolean {
    return this.#put === -1;
  }

  /**
   * Puts the rows after the current one into copies of a message that {@link encode} made and that
   * was framed since; the last of them becomes the current row.
   * @param base the offset of its UFID, or its key, in the message
   * @returns how many: 0 if the message cannot be copied, or if no staged row fits
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
