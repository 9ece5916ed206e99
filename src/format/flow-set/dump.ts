import { KeyRecord } from "../../flow/key/record.ts";
import { UFID_SIZE } from "../../flow/key/ufid.ts";
import type { PortNames } from "../../flow/ports.ts";
import { type FlowParts, hashMatch } from "../../flow/parts.ts";
import { printFlow } from "../../flow/print.ts";
import { TextSink } from "../../flow/text/sink.ts";
import { printUfid } from "../../flow/text/ufid.ts";
import { FlowSetLines } from "./lines.ts";
import type { FlowSetWriter } from "./writer.ts";

/**
 * Writes flows as a kernel dumps them into a flow set, by way of their text: what that loads, the set
 * loads. A UFID of 16 bytes is kept as given where it is no hash of what the flow matches; every other flow gets
 * that hash, or none, when it is loaded.
 */
export class FlowSetDump {
  readonly #out: FlowSetWriter;
  readonly #lines: FlowSetLines;
  readonly #ports: PortNames | undefined;
  readonly #record = new KeyRecord();
  readonly #text = new TextSink(4096);
  readonly #hash = new Int32Array(UFID_SIZE >> 2);

  /** @param ports where ports are to have names in the set */
  constructor(out: FlowSetWriter, ports: PortNames | undefined) {
    this.#out = out;
    this.#lines = new FlowSetLines(out);
    this.#ports = ports;
  }

  /** Adds a flow. @returns false where it cannot be read */
  add(flow: FlowParts): boolean {
    const text = this.#text;
    text.clear();
    if (this.#isGiven(flow)) {
      printUfid(text, flow.bytes, flow.ufid.start, flow.ufid.end);
      text.text(", ");
    }
    const style = { verbose: false, statistics: false, ports: this.#ports };
    if (!printFlow(flow, this.#record, text, style, 0)) return false;
    return this.#lines.add(text.bytes, 0, text.length, this.#out.flows + 1) === "added";
  }

  /** Ends the set. */
  finish(): void {
    this.#out.finish(this.#out.flows);
  }

  #isGiven(flow: FlowParts): boolean {
    const { bytes, ufid } = flow;
    if (ufid.start < 0 || ufid.end - ufid.start !== UFID_SIZE) return false;
    if (!hashMatch(flow, this.#hash, 0)) return false;
    const hash = new Uint8Array(this.#hash.buffer);
    return hash.some((byte, i) => byte !== bytes[ufid.start + i]);
  }
}
