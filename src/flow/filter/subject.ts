import { MillraceError } from "../../sys/errors.ts";
import type { KeyRecord } from "../key/record.ts";
import { type FlowParts, newFlowParts } from "../parts.ts";
import { MatchReader } from "../shape/match-reader.ts";

/** A condition that a flow meets or not. */
export type Test = (subject: Subject) => boolean;

/** The flow that a filter looks at. Its key is decoded when a test first needs it. */
export class Subject {
  parts: FlowParts = newFlowParts();
  /** Milliseconds on CLOCK_MONOTONIC. */
  nowMs = 0;
  readonly #reader = new MatchReader();
  #record: KeyRecord | undefined;

  /** Looks at another flow, whose bytes must stay valid while tests run. */
  set(parts: FlowParts, nowMs: number): this {
    this.parts = parts;
    this.nowMs = nowMs;
    this.#record = undefined;
    return this;
  }

  /** Its key and mask. @throws MillraceError `MALFORMED` */
  match(): KeyRecord {
    this.#record ??= this.#reader.read(this.parts);
    if (this.#record !== undefined) return this.#record;
    throw new MillraceError("MALFORMED", "a flow's key or mask cannot be read");
  }
}
