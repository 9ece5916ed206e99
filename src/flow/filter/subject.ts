import { MillraceError } from "../../sys/errors.ts";
import { KeyRecord } from "../key/record.ts";
import { type FlowParts, newFlowParts, readMatch } from "../parts.ts";

/** Says whether something holds of a flow. */
export type Test = (subject: Subject) => boolean;

/** The flow that a filter looks at. Its key is read when a test first asks for it. */
export class Subject {
  parts: FlowParts = newFlowParts();
  /** Milliseconds on CLOCK_MONOTONIC. */
  nowMs = 0;
  readonly #record = new KeyRecord();
  #isRead = false;

  /** Looks at another flow, whose bytes are valid as long as tests are asked. */
  set(parts: FlowParts, nowMs: number): this {
    this.parts = parts;
    this.nowMs = nowMs;
    this.#isRead = false;
    return this;
  }

  /** Its key and mask. @throws MillraceError `MALFORMED` */
  match(): KeyRecord {
    if (!this.#isRead) {
      if (!readMatch(this.parts, this.#record)) {
        throw new MillraceError("MALFORMED", "a flow's key or mask cannot be read");
      }
      this.#isRead = true;
    }
    return this.#record;
  }
}
