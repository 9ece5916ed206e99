import type { MillraceErrorCode } from "../sys/error-codes.ts";
import type { FlowSyntaxError } from "../flow/text/syntax-error.ts";

/** Why a flow cannot be sent. */
export type FlowRefusal = {
  /** 1-based line of the input, or number of the flow if there are no lines. */
  readonly line: number;
  /** 1-based, in bytes. */
  readonly column: number;
  /** The code of the rule, such as `FLOW_SYNTAX`. */
  readonly code: MillraceErrorCode;
  readonly reason: string;
  /** The text around the column. */
  readonly text: string;
  /** The index in the text of the character at the column; absent if there is none. */
  readonly caret?: number;
  /** For a syntax error: what was found, what was expected, and what may have been meant. */
  readonly syntax?: SyntaxFacts;
};

/** The facts of a syntax error about its place. */
export type SyntaxFacts = {
  readonly found: string;
  readonly expected: string;
  readonly suggestion?: string;
};

/** Messages of refusals that all formats share. */
export const TOO_LONG_MESSAGE = "longer than a netlink message can be";
export const NO_KEY = "a delete without a key would flush: it names no flow";

/** The refusal of a line that is not in the language. */
export function refusalOfSyntax(line: number, error: FlowSyntaxError): FlowRefusal {
  const { column, code, reason, text, caretAt: caret, found, expected, suggestion } = error;
  const syntax = { found, expected, ...(suggestion === undefined ? {} : { suggestion }) };
  return { line, column, code, reason, text, caret, syntax };
}

/** Refused flows from the part of the input that fills a batch, in the order of their lines. */
export class Refusals {
  readonly list: FlowRefusal[] = [];
  readonly #max: number;

  /** @param max how many may wait for their batch to be sent, which bounds memory */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether no more may wait, so that the batch must be sent. */
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
