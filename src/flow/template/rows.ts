import { MillraceError } from "../../sys/errors.ts";
import type { CompiledTemplate } from "./compile.ts";
import { packedBytes, type Stage, STAGE_ROWS, type TemplateColumn } from "./stage.ts";
import type { TemplateValue } from "./values.ts";

/** Values of one flow: by name of the hole, or in the order of `FlowTemplate.holes`. */
export type TemplateRow<Name extends string = string> =
  Readonly<Record<Name, TemplateValue>> | readonly TemplateValue[];

/**
 * A column for each hole, all of the same number of rows: the fastest way. A `Uint8Array` for
 * addresses holds their bytes back to back: 4 per row for IPv4, 6 for MAC, 16 for IPv6.
 */
export type TemplateColumns<Name extends string = string> = Readonly<Record<Name, TemplateColumn>>;

/** The values with which a template is filled. */
export type TemplateRows<Name extends string = string> =
  Iterable<TemplateRow<Name>> | AsyncIterable<TemplateRow<Name>> | TemplateColumns<Name>;

/** Gives rows, some at a time. */
export type RowSource = {
  /**
   * Puts the next rows, at most STAGE_ROWS, into the stage.
   * @returns how many; 0 at the end, a promise if they are not there yet
   * @throws the error of the rows, after the rows before it were taken
   */
  take(stage: Stage): number | Promise<number>;
  /** The value of a hole in one of the rows taken last, for messages. */
  valueOf(hole: number, row: number): unknown;
  /** Says that no more rows are needed. */
  close(): void;
};

/**
 * @throws MillraceError `TEMPLATE_COLUMNS` if columns are missing, unknown or of different lengths
 */
export function checkRows(
  rows: TemplateRows,
  template: CompiledTemplate,
  names: readonly string[],
): void {
  if (!isAsync(rows) && !isIterable(rows)) checkColumns(rows, template, names);
}

/** Begins to read rows. @throws as {@link checkRows} */
export function rowSource(
  rows: TemplateRows,
  template: CompiledTemplate,
  names: readonly string[],
): RowSource {
  if (isAsync(rows)) return asyncSource(rows, template);
  if (isIterable(rows)) return iterableSource(rows, template);
  return columnSource(rows, template, names);
}

function isAsync(rows: TemplateRows): rows is AsyncIterable<TemplateRow> {
  return Symbol.asyncIterator in rows;
}

function isIterable(rows: TemplateRows): rows is Iterable<TemplateRow> {
  return Symbol.iterator in rows;
}

function columnSource(
  columns: TemplateColumns,
  template: CompiledTemplate,
  names: readonly string[],
): RowSource {
  const total = checkColumns(columns, template, names);
  let first = 0;
  let count = 0;
  return {
    take: (stage) => {
      first += count;
      count = Math.min(STAGE_ROWS, total - first);
      for (const [hole, { name }] of template.places.entries()) {
        const column = columns[name];
        if (column !== undefined) stage.setColumn(hole, column, first, count);
      }
      return count;
    },
    // Packed addresses always fit, so this is called only for columns of elements.
    valueOf: (hole, row) => columns[template.places[hole]?.name ?? ""]?.[first + row],
    close: () => undefined,
  };
}

/** @returns how many rows there are */
function checkColumns(
  columns: TemplateColumns,
  template: CompiledTemplate,
  names: readonly string[],
): number {
  for (const name of Object.keys(columns)) {
    if (!names.includes(name)) failColumns(`"${name}" is none of the holes ${names.join(", ")}`);
  }
  let total = -1;
  for (const [hole, { name }] of template.places.entries()) {
    const column = columns[name];
    if (column === undefined) failColumns(`no column for the hole "${name}"`);
    const rows = column.length / valuesARow(template, hole, column);
    if (!Number.isInteger(rows)) failColumns(`the column "${name}" ends within an address`);
    if (total >= 0 && rows !== total) {
      failColumns(`the column "${name}" has ${rows} rows, and another one ${total}`);
    }
    total = rows;
  }
  return Math.max(total, 0);
}

/** How many elements of a column make one value. */
function valuesARow(template: CompiledTemplate, hole: number, column: TemplateColumn): number {
  const { layout, places } = template;
  const kind = layout.kind[hole] ?? 0;
  return Math.max(1, packedBytes(column, kind, layout.size[hole] ?? 1, places[hole]));
}

function failColumns(reason: string): never {
  throw new MillraceError("TEMPLATE_COLUMNS", `the template cannot be filled: ${reason}`);
}

function iterableSource(rows: Iterable<TemplateRow>, template: CompiledTemplate): RowSource {
  const iterator = rows[Symbol.iterator]();
  const taken: TemplateRow[] = [];
  let failure: { readonly cause: unknown } | undefined;
  // An iterator that throws has ended: do not call `return` on it.
  let ended = false;
  return {
    take: (stage) => {
      if (failure !== undefined) throw failure.cause;
      taken.length = 0;
      try {
        while (taken.length < STAGE_ROWS) {
          ended = true;
          const next = iterator.next();
          if (next.done === true) break;
          ended = false;
          stageRow(stage, template, taken.length, next.value);
          taken.push(next.value);
        }
      } catch (cause) {
        if (taken.length === 0) throw cause;
        // The rows before it are good: they are taken first.
        failure = { cause };
      }
      return taken.length;
    },
    valueOf: (hole, row) => valueOf(template, taken[row], hole),
    close: () => {
      if (!ended) iterator.return?.();
    },
  };
}

/** Takes each row as it arrives: a caller that feeds rows one by one expects them to be sent. */
function asyncSource(rows: AsyncIterable<TemplateRow>, template: CompiledTemplate): RowSource {
  const iterator = rows[Symbol.asyncIterator]();
  let taken: TemplateRow | undefined;
  return {
    take: async (stage) => {
      const next = await iterator.next();
      if (next.done === true) return 0;
      taken = next.value;
      stageRow(stage, template, 0, next.value);
      return 1;
    },
    valueOf: (hole) => valueOf(template, taken, hole),
    // Errors of `return` do not concern the load.
    close: () => void iterator.return?.().catch(() => undefined),
  };
}

function stageRow(stage: Stage, template: CompiledTemplate, at: number, row: TemplateRow): void {
  const holes = template.places.length;
  for (let hole = 0; hole < holes; hole++) stage.set(hole, at, valueOf(template, row, hole));
}

function valueOf(
  template: CompiledTemplate,
  row: TemplateRow | undefined,
  hole: number,
): TemplateValue | undefined {
  const place = template.places[hole];
  if (place === undefined || row === undefined || row === null) return undefined;
  return isTuple(row) ? row[place.index] : row[place.name];
}

function isTuple(row: TemplateRow): row is readonly TemplateValue[] {
  return Array.isArray(row) || ArrayBuffer.isView(row);
}
