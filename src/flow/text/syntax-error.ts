import type { MillraceErrorCode } from "../../sys/error-codes.ts";
import { MillraceError } from "../../sys/errors.ts";

/** Bytes of the line shown before and after the column of an error. */
const SHOWN_BEFORE = 60;
const SHOWN_AFTER = 40;

/** The facts from which a {@link FlowSyntaxError} is made. */
type FlowSyntaxErrorFacts = {
  /** `FLOW_SYNTAX` by default. */
  code?: MillraceErrorCode | undefined;
  /** 1-based. */
  line: number;
  /** 1-based, in bytes. */
  column: number;
  found: string;
  expected: string;
  suggestion?: string | undefined;
  /** The shown part of the line before the column. */
  before: string;
  /** The shown part of the line from the column on. */
  after: string;
};

/** Text is not in the flow language. Says where, what was found there and what was expected. */
export class FlowSyntaxError extends MillraceError {
  override readonly name: string = "FlowSyntaxError";
  /** 1-based line in the input. */
  readonly line: number;
  /** 1-based column, in bytes. */
  readonly column: number;
  /** The text at the column. */
  readonly found: string;
  /** What was expected there, in words. */
  readonly expected: string;
  /** What was found, what was expected, and what may have been meant: the message without the place. */
  readonly reason: string;
  /** For a misspelt word, the nearest word known there. */
  readonly suggestion: string | undefined;
  /** The line, shortened around the column. */
  readonly text: string;
  /** The index in {@link text} of the character at the column. */
  readonly caretAt: number;

  constructor(facts: FlowSyntaxErrorFacts) {
    const hint = facts.suggestion === undefined ? "" : `; did you mean "${facts.suggestion}"?`;
    const reason = `found ${facts.found}, expected ${facts.expected}${hint}`;
    super(facts.code ?? "FLOW_SYNTAX", `line ${facts.line}, column ${facts.column}: ${reason}`);
    this.reason = reason;
    this.line = facts.line;
    this.column = facts.column;
    this.found = facts.found;
    this.expected = facts.expected;
    this.suggestion = facts.suggestion;
    this.text = facts.before + facts.after;
    this.caretAt = facts.before.length;
  }

  /** The text, and below it a caret at the column. */
  caret(): string {
    return withCaret(this.text, this.caretAt);
  }
}

/** A text, and below it a caret at its character `at`. */
export function withCaret(text: string, at: number): string {
  return `${text}\n${" ".repeat(Bun.stringWidth(text.slice(0, at)))}^`;
}

/** A line, `lineStart` to `end` of `bytes`, and its number in the input; a `Cursor` has these. */
type LinePlace = {
  readonly bytes: Uint8Array;
  readonly lineStart: number;
  readonly end: number;
  readonly line: number;
};

/** Bytes that are a single line. */
export function oneLine(bytes: Uint8Array): LinePlace {
  return { bytes, lineStart: 0, end: bytes.length, line: 1 };
}

/** The facts of an error at byte `at` of a line. Only here does text become a string. */
export function syntaxFactsAt(
  { bytes, lineStart, end, line }: LinePlace,
  at: number,
  expected: string,
  suggestion?: string,
): FlowSyntaxErrorFacts {
  const from = characterAt(bytes, Math.max(lineStart, at - SHOWN_BEFORE), end);
  const to = characterAt(bytes, Math.min(end, at + SHOWN_AFTER), end);
  return {
    line,
    column: at - lineStart + 1,
    found: foundAt(bytes, at, end),
    expected,
    suggestion,
    before: (from > lineStart ? "…" : "") + readable(bytes, from, at),
    after: readable(bytes, at, to) + (to < end ? "…" : ""),
  };
}

/** The error made of {@link syntaxFactsAt}. */
export function syntaxErrorAt(...place: Parameters<typeof syntaxFactsAt>): FlowSyntaxError {
  return new FlowSyntaxError(syntaxFactsAt(...place));
}

/** The word, number, address or single character at `at`, in quotes. */
function foundAt(bytes: Uint8Array, at: number, end: number): string {
  if (at >= end) return "the end of the line";
  if (BYTE_ORDER_MARK.every((byte, i) => bytes[at + i] === byte))
    return "a byte order mark, as at the beginning of a file that was joined to others";
  const [word = ""] =
    TOKEN.exec(LATIN1.decode(bytes.subarray(at, Math.min(end, at + 4 * SHOWN_AFTER)))) ?? [];
  const to = at + word.length;
  if (word === "") return `"${readable(bytes, at, characterAt(bytes, at + 1, end))}"`;
  if (word.length <= SHOWN_AFTER) return `"${readable(bytes, at, to)}"`;
  return `"${readable(bytes, at, characterAt(bytes, at + SHOWN_AFTER, end))}…"`;
}

/** It is invisible, so the error names it. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

// Each character stands for one byte; those of other alphabets count as letters.
const LETTER = "[\\w\\x80-\\uffff]";

/**
 * What people read as one word: an address (of a MAC or IPv6, with colons; of IPv4, with dots), a
 * number with a sign, a fraction or a percent sign, a name with hyphens and dots.
 */
const TOKEN: RegExp = new RegExp(
  "^(?:" +
    [
      `:?:?(?:[0-9a-f]+:+)+(?:${LETTER}|[.:])*`,
      `[+-]?\\d+%?(?:\\.?${LETTER}+)*%?`,
      `${LETTER}+(?:[.-]+${LETTER}+)*`,
    ].join("|") +
    ")",
  "i",
);

const LATIN1 = new TextDecoder("latin1");

/** The first offset at or after `at` where a UTF-8 character begins. */
function characterAt(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end && (bytes[next]! & 0xc0) === 0x80) next++;
  return next;
}

const DECODER = new TextDecoder();

/**
 * Text for people: each control character takes one column, so that a caret is in the right place.
 */
export function readable(bytes: Uint8Array, start: number, end: number): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is replaced
  return DECODER.decode(bytes.subarray(start, end)).replaceAll(/[\u0000-\u001f\u007f]/g, " ");
}

const PLAIN_FLOW = "a flow: its key and actions, without a verb";

/** The error for a comment or a line with a verb. Files may hold them, but they are not a flow. */
export function notOneFlow(text: string, expected: string = PLAIN_FLOW): FlowSyntaxError {
  return new FlowSyntaxError({
    line: 1,
    column: 1,
    found: text.trim() === "" ? "an empty line" : `"${text.trim().split(/\s/)[0]}"`,
    expected,
    before: "",
    after: text,
  });
}
