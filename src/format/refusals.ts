import type { MillraceErrorCode } from "../sys/error-codes.ts";
import type { FlowSyntaxError } from "../flow/text/syntax-error.ts";

/** Why a flow cannot be sent. */
export type FlowRefusal = {
  /** 1-based line of the input, or number of the flow where there are no lines. */
  readonly line: number;
  /** 1-based, in bytes. */
  readonly column: number;
  /** Which rule: `FLOW_SYNTAX`. */
  readonly code: MillraceErrorCode;
  readonly reason: string;
  /** The text around the column. */
  readonly text: string;
  /** Which character of the text is the one at the column; absent where none is. */
  readonly caret?: number;
  /** Of what is not in the language: what stands there, what should, and what may be meant. */
  readonly syntax?: SyntaxFacts;
};

/** What a syntax error says of its place. */
export type SyntaxFacts = {
  readonly found: string;
  readonly expected: string;
  readonly suggestion?: string;
};

/** Why a flow is refused, in the words of every format. */
export const TOO_LONG_MESSAGE = "longer than a netlink message can be";
export const NO_KEY = "a delete without a key would flush: it names no flow";

/** The refusal of a line that is not in the language. */
export function refusalOfSyntax(line: number, error: FlowSyntaxError): FlowRefusal {
  const { column, code, reason, text, caretAt: caret, found, expected, suggestion } = error;
  const syntax = { found, expected, ...(suggestion === undefined ? {} : { suggestion }) };
  return { line, column, code, reason, text, caret, syntax };
}

/** Refused flows of the part of the input that a batch comes from, in the order of their lines. */
export class Refusals {
  readonly list: FlowRefusal[] = [];
  readonly #max: number;

  /** @param max how many may wait for their batch to be sent, so that memory does not grow */
  constructor(max: number) {
    this.#max = max;
  }

  /** No more may wait: the batch is to be sent. */
  get full(): boolean {
    return this.list.length >= this.#max;
  }

  add(refusal: FlowRefusal): void {
    this.list.push(refusal);
  }

  clear(): void {
    this.list.length = 0;
  }
}
