/** Why a kernel will not take a flow. */
export type Refusal = {
  /** A stable word for the rule, such as `key.missing` or `action.output`. */
  readonly rule: string;
  /** The rule in words: the field, and what the kernel wants. */
  readonly reason: string;
};

/** Builds a refusal. Called only where a flow is refused: a good flow allocates nothing. */
export function refuse(rule: string, reason: string): Refusal {
  return { rule, reason };
}
