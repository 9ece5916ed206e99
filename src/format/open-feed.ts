import type { FlowLineOptions } from "../flow/line.ts";
import { detect, type DetectedSource, type FlowFormat } from "./detect.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { FlowFeed, LineNotes } from "./feed.ts";
import type { Refusals } from "./refusals.ts";
import type { ByteSource } from "./source.ts";
import { TextFeed } from "./text-feed.ts";

/** An input, and its format where that is known: `auto` looks at its first bytes. */
export type FlowInput = { readonly source: ByteSource; readonly format: FlowFormat | "auto" };

/** Opens flows in a format. Nothing is read before the feed is filled. */
export function openFeed({ source, format }: FlowInput, options: FlowLineOptions): FlowFeed {
  if (format === "auto") return new DetectingFeed(source, options);
  // What only one format wants is loaded only for that, without waiting.
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
 * Flows in the format that the first bytes tell. They are looked at by {@link fill}: whoever waits for
 * the input to be filled can end that wait, the first one too.
 */
class DetectingFeed implements FlowFeed {
  readonly #source: ByteSource;
  readonly #options: FlowLineOptions;
  #feed: FlowFeed | undefined;

  constructor(source: ByteSource, options: FlowLineOptions) {
    this.#source = source;
    this.#options = options;
  }

  get name(): string {
    return this.#source.name;
  }

  get bytesTotal(): number | undefined {
    return this.#source.size;
  }

  get bytesRead(): number {
    return this.#feed?.bytesRead ?? 0;
  }

  get line(): number {
    return this.#feed?.line ?? 0;
  }

  get notes(): LineNotes | undefined {
    return this.#feed?.notes;
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

  #open(found: DetectedSource): boolean | Promise<boolean> {
    this.#feed = openFeed(found, this.#options);
    return this.#feed.fill();
  }
}
