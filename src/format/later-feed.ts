import type { FlowOrder } from "../flow/mask-order.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { FlowFeed, LineNotes } from "./feed.ts";
import type { Refusals } from "./refusals.ts";
import type { ByteSource } from "./source.ts";

/**
 * Flows of an input that must be looked at before they can be read: {@link fill} opens another feed
 * for them, and the rest is up to that one.
 */
export abstract class LaterFeed<Source extends ByteSource = ByteSource> implements FlowFeed {
  protected readonly source: Source;
  protected feed: FlowFeed | undefined;
  /** The order that was found, where the feed knows of none. */
  protected foundOrder: FlowOrder | undefined;

  /** @param source owned by the feed */
  protected constructor(source: Source) {
    this.source = source;
  }

  get name(): string {
    return this.source.name;
  }

  get bytesTotal(): number | undefined {
    return this.source.size;
  }

  get bytesRead(): number {
    return this.feed?.bytesRead ?? 0;
  }

  get line(): number {
    return this.feed?.line ?? 0;
  }

  get notes(): LineNotes | undefined {
    return this.feed?.notes;
  }

  get order(): FlowOrder | undefined {
    return this.feed?.order ?? this.foundOrder;
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    return this.feed?.pump(requests, refusals);
  }

  abstract fill(): boolean | Promise<boolean>;

  lineText(line: number): Uint8Array | undefined {
    return this.feed?.lineText?.(line);
  }

  close(): void {
    (this.feed ?? this.source).close();
  }
}
