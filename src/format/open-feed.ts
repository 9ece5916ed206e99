import type { FlowLineOptions } from "../flow/line.ts";
import { detect, type DetectedSource, type FlowFormat } from "./detect.ts";
import type { FlowOrder } from "../flow/mask-order.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { FlowFeed, LineNotes } from "./feed.ts";
import type { Refusals } from "./refusals.ts";
import type { ByteSource } from "./source.ts";
import { TextFeed } from "./text-feed.ts";

/** An input and its format; `auto` detects the format from its first bytes. */
export type FlowInput = { readonly source: ByteSource; readonly format: FlowFormat | "auto" };

/** In which order a load sends flows: that of the input, or the one that a kernel takes fastest. */
export type FeedOrder = "file" | "fast";

/** How flows are read. */
export type OpenOptions = FlowLineOptions & { readonly order?: FeedOrder };

/** Opens flows, compressed or not. Nothing is read before the feed is filled. */
export function openFeed(input: FlowInput, options: OpenOptions): FlowFeed {
  return new DetectingFeed(input, options);
}

// Each format's modules are loaded only when needed, synchronously.
function feedOf({ source, format }: DetectedSource, options: FlowLineOptions): FlowFeed {
  if (format === "msgpack") {
    const { FlowSetFeed }: typeof import("./flow-set/feed.ts") = require("./flow-set/feed.ts");
    return new FlowSetFeed(source, options);
  }
  if (format === "jsonl") {
    const { jsonFeed }: typeof import("./json-feed.ts") = require("./json-feed.ts");
    return jsonFeed(source, options);
  }
  return new TextFeed(source, options);
}

/**
 * Flows of an input whose format is detected. {@link fill} looks at the first bytes, so a caller
 * can abort that wait like any other.
 */
class DetectingFeed implements FlowFeed {
  readonly #source: ByteSource;
  readonly #format: FlowFormat | "auto";
  readonly #options: OpenOptions;
  #feed: FlowFeed | undefined;
  /** Set if the flows cannot be read in the order that was asked for. */
  #order: FlowOrder | undefined;
  #taken: (() => number) | undefined;

  constructor({ source, format }: FlowInput, options: OpenOptions) {
    this.#source = source;
    this.#format = format;
    this.#options = options;
  }

  get name(): string {
    return this.#source.name;
  }

  get bytesTotal(): number | undefined {
    return this.#source.size;
  }

  get bytesRead(): number {
    return this.#taken?.() ?? this.#feed?.bytesRead ?? 0;
  }

  get line(): number {
    return this.#feed?.line ?? 0;
  }

  get notes(): LineNotes | undefined {
    return this.#feed?.notes;
  }

  get order(): FlowOrder | undefined {
    return this.#feed?.order ?? this.#order;
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    return this.#feed?.pump(requests, refusals);
  }

  fill(): boolean | Promise<boolean> {
    if (this.#feed !== undefined) return this.#feed.fill();
    const found = detect(this.#source);
    return found instanceof Promise ? found.then((known) => this.#open(known)) : this.#open(found);
  }

  lineText(line: number): Uint8Array | undefined {
    return this.#feed?.lineText?.(line);
  }

  close(): void {
    (this.#feed ?? this.#source).close();
  }

  #open({ source, format }: DetectedSource): boolean | Promise<boolean> {
    this.#taken = source.taken;
    const chosen = this.#format === "auto" ? format : this.#format;
    const input = { source, format: chosen };
    this.#feed = this.#ordered(input) ?? feedOf(input, this.#options);
    return this.#feed.fill();
  }

  // A feed in another order, if that is asked for and possible.
  #ordered(input: DetectedSource): FlowFeed | undefined {
    if (this.#options.order !== "fast") return undefined;
    const { orderedFeed }: typeof import("./ordered-feed.ts") = require("./ordered-feed.ts");
    const opened = orderedFeed(input, this.#options);
    if ("pump" in opened) return opened;
    this.#order = opened;
    return undefined;
  }
}
