import { monotonicMs } from "../../sys/clock.ts";
import type { Flow } from "../flow.ts";
import type { FlowParts } from "../parts.ts";
import type { PortNames } from "../ports.ts";
import { Cursor } from "../text/cursor.ts";
import { type FilterNeeds, FilterParser } from "./parse.ts";
import { Subject, type Test } from "./subject.ts";

/** How many flows of a dump pass between two readings of the clock: a few milliseconds. */
const CLOCK_EVERY = 1024;

/**
 * A condition on flows: `ipv4.dst in 10.0.0.0/8 and tcp.dst = 443 and packets > 100`. docs/filter.md has the
 * language.
 */
export class FlowFilter {
  /** The text it was parsed from. */
  readonly text: string;
  /** The parts of a flow that it needs. */
  readonly needs: Readonly<FilterNeeds>;
  readonly #test: Test;
  readonly #subject = new Subject();

  private constructor(text: string, test: Test, needs: FilterNeeds) {
    this.text = text;
    this.#test = test;
    this.needs = needs;
  }

  /**
   * Reads a filter.
   * @param options `ports`: names of ports, resolved now; without them only numbers are read
   * @throws FlowSyntaxError
   */
  static parse(
    text: string,
    { ports }: { readonly ports?: PortNames | undefined } = {},
  ): FlowFilter {
    const bytes = new TextEncoder().encode(text);
    const parser = new FilterParser(new Cursor().reset(bytes, 0, bytes.length, 1), ports);
    return new FlowFilter(text, parser.parse(), parser.needs);
  }

  /** Whether the flow passes the filter. */
  matches(flow: Flow): boolean {
    return this.passes(flow.parts);
  }

  /**
   * As {@link matches}, for a flow in a buffer. Allocates nothing.
   * @param nowMs milliseconds on CLOCK_MONOTONIC, for `used`; now by default
   * @throws MillraceError `MALFORMED` if its key cannot be read
   */
  passes(parts: FlowParts, nowMs?: number): boolean {
    const now = nowMs ?? (this.needs.clock ? monotonicMs() : 0);
    return this.#test(this.#subject.set(parts, now));
  }

  /**
   * As {@link passes}, for the flows of a dump: it reads the clock only now and then, since that is
   * a system call in some kernels.
   */
  ofDump(): (parts: FlowParts) => boolean {
    let nowMs = 0;
    let flows = 0;
    return (parts) => {
      if (this.needs.clock && flows++ % CLOCK_EVERY === 0) nowMs = monotonicMs();
      return this.passes(parts, nowMs);
    };
  }

  toString(): string {
    return this.text;
  }
}
