import type { Batch } from "../netlink/batch.ts";

/** What an earlier run of the same load did with the flows of a batch. */
export type EarlierRun =
  /** It applied them, and the kernel still has them: they are not sent. */
  | "applied"
  /** It may have sent them: adds whose flows exist and deletes whose flows do not are applied. */
  | "perhaps"
  /** It did not send them. */
  | "never";

/** Records how far a load got, so that a later run can continue a load that was killed. */
export type LoadJournal = {
  /**
   * Called once for each batch, in order, before it is sent; all batches before it are settled.
   * Throws nothing: a journal that cannot be written ends no load.
   */
  begin(batch: Batch): EarlierRun;
};
