/** What the variants read, made when it is asked for. */
export type Files = {
  /** Messages, back to back, with UFIDs. */
  readonly packed: (flows: number) => string;
  readonly text: (lines: number) => string;
  /** The same, by `millrace compile`. */
  readonly compiled: (lines: number) => string;
  /** The same without actions, as del-flows reads them. */
  readonly keys: (lines: number) => string;
  readonly masked: (flows: number, masks: number) => string;
  readonly verbs: (flows: number) => string;
};
