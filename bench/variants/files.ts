/** The files that the variants read, made on demand. */
export type Files = {
  /** Messages with UFIDs, back to back. */
  readonly packed: (flows: number) => string;
  readonly text: (lines: number) => string;
  /** The same, by `millrace compile`. */
  readonly compiled: (lines: number) => string;
  /** The same without actions, as del-flows reads them. */
  readonly keys: (lines: number) => string;
  readonly masked: (flows: number, masks: number) => string;
  /** Messages of so many flows of one mask first, or last, and of one flow of each of `masks` others. */
  readonly ordered: (flows: number, masks: number, order: "first" | "last") => string;
  /** The same with the many last in the text that is compiled. */
  readonly orderedSet: (flows: number, masks: number) => string;
  readonly verbs: (flows: number) => string;
  /** Flows in text, the same with other actions of a hundredth, and those alone. */
  readonly sync: (flows: number) => string;
};
