import type { FlowLineOptions } from "../flow/line.ts";
import { detect, type DetectedSource, type FlowFormat } from "./detect.ts";
import type { FlowFeed } from "./feed.ts";
import { LaterFeed } from "./later-feed.ts";
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
class DetectingFeed extends LaterFeed {
  readonly #format: FlowFormat | "auto";
  readonly #options: OpenOptions;
  #taken: (() => number) | undefined;

  constructor({ source, format }: FlowInput, options: OpenOptions) {
    super(source);
    this.#format = format;
    this.#options = options;
  }

  override get bytesRead(): number {
    return this.#taken?.() ?? super.bytesRead;
  }

  fill(): boolean | Promise<boolean> {
    if (this.feed !== undefined) return this.feed.fill();
    const found = detect(this.source);
    return found instanceof Promise ? found.then((known) => this.#open(known)) : this.#open(found);
  }

  #open({ source, format }: DetectedSource): boolean | Promise<boolean> {
    this.#taken = source.taken;
    const chosen = this.#format === "auto" ? format : this.#format;
    const input = { source, format: chosen };
    this.feed = this.#ordered(input) ?? feedOf(input, this.#options);
    return this.feed.fill();
  }

  // A feed in another order, if that is asked for and possible.
  #ordered(input: DetectedSource): FlowFeed | undefined {
    if (this.#options.order !== "fast") return undefined;
    const { orderedFeed }: typeof import("./ordered-feed.ts") = require("./ordered-feed.ts");
    const opened = orderedFeed(input, this.#options);
    if ("pump" in opened) return opened;
    this.foundOrder = opened;
    return undefined;
  }
}
