import { writeSync } from "node:fs";
import type { BatchLatency } from "../load/report.ts";
import { SystemCallError } from "../sys/errors.ts";
import { EIO, errnoNumber } from "../sys/errno.ts";
import { fitted, padLeft, padRight } from "./columns.ts";

// Writes to standard output: text, tables, JSON.

let readerGone = false;

/** Whether nobody reads standard output any more, so that a long dump need not go on. */
export function outputEnded(): boolean {
  return readerGone;
}

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

/** Writes all of `output` to standard output, waiting while a pipe is full. */
export function writeOut(output: Uint8Array | string): void {
  if (readerGone || writeTo(STANDARD_OUTPUT, output)) return;
  // The reader has closed the pipe (head, less): the work goes on, with its normal exit status.
  readerGone = true;
}

/**
 * Writes to standard error. Not `console.error`, which prints red on a terminal regardless of
 * NO_COLOR and TERM.
 */
export function writeError(text: string): void {
  writeTo(STANDARD_ERROR, text);
}

/** Prints an error to standard error, with the prefix of all errors. */
export function complain(message: string): void {
  writeError(`${fitted(`millrace: ${message}`, process.stderr.columns)}\n`);
}

/** Asks the user to type flows: otherwise a command that reads a terminal seems to hang. */
export function askForFlows(): void {
  writeError("reading flows from this terminal, one per line; Ctrl-D ends them\n");
}

/** @returns whether there is a reader */
function writeTo(fd: number, output: Uint8Array | string): boolean {
  const data = typeof output === "string" ? Buffer.from(output) : output;
  for (let at = 0; at < data.length;) {
    try {
      at += writeSync(fd, data, at, data.length - at);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EPIPE") return false;
      if (code !== "EAGAIN") {
        throw new SystemCallError("write", errnoNumber(String(code)) ?? EIO, "writing output");
      }
      Bun.sleepSync(1);
    }
  }
  return true;
}

/** One JSON document, on standard output by default. */
export function printJson(value: unknown, write: (text: string) => void = writeOut): void {
  write(`${JSON.stringify(value, null, 2)}\n`);
}

/** One line of JSON on standard output. */
export function printJsonLine(value: unknown): void {
  writeOut(`${JSON.stringify(value)}\n`);
}

/** The number of characters written at a time. */
const PIECE_LENGTH = 64 << 10;

/** Prints many lines to standard output, in few pieces. */
export function printLines(lines: Iterable<string>): void {
  let piece = "";
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < PIECE_LENGTH) continue;
    writeOut(piece);
    piece = "";
  }
  writeOut(piece);
}

/** Prints rows in columns. The first row is the heading; numbers are right-aligned. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(cell))));
  }
  printLines(rows.values().map((row) => tableLine(row, widths)));
}

function tableLine(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, i) => {
    const width = widths[i] ?? 0;
    return /^[\d,]+(\.\d+)?$/.test(cell) ? padLeft(cell, width) : padRight(cell, width);
  });
  return cells.join("  ").trimEnd();
}

/** 1234567 as 1,234,567. */
export function count(value: number): string {
  // Not toLocaleString: setting up Intl takes 4 ms.
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** A number with a noun: `1 line`, `2 lines`. @param singular the noun for one */
export function counted(value: number, singular: string, many: string = `${singular}s`): string {
  return `${count(value)} ${value === 1 ? singular : many}`;
}

/** A duration in a suitable unit. */
function duration(microseconds: number): string {
  if (microseconds < 1000) return `${microseconds} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${(microseconds / 1_000_000).toFixed(2)} s`;
}

/** Latencies of batches; leaves out a percentile for which there are too few. */
export function latencies({ p50, p99, max }: BatchLatency): string {
  const tail = p99 === null ? "" : `, p99 ${duration(p99)}`;
  return `p50 ${duration(p50)}${tail}, max ${duration(max)}`;
}

/** A number of bytes in a suitable unit. */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(1)} KiB`;
  if (value < 1024 ** 3) return `${(value / 1024 ** 2).toFixed(1)} MiB`;
  return `${(value / 1024 ** 3).toFixed(2)} GiB`;
}
