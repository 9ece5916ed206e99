import type { FlowFeed, FlowSink } from "../../../src/format/feed.ts";
import { Batch } from "../../../src/netlink/batch.ts";
import { FlowMessages } from "../../../src/ovs/flow-requests.ts";

const MESSAGES = 4096;

/** Where feeds go: messages are framed as a load frames them, and dropped. */
export class NowhereSink implements FlowSink {
  batch: Batch = new Batch(MESSAGES, 1 << 20);
  readonly ended = false;
  readonly #messages = new FlowMessages(30, 1);

  begin(): void {
    this.#messages.begin(this.batch);
  }

  commit(...[verb, line]: Parameters<FlowSink["commit"]>): boolean {
    return this.#messages.commit(this.batch, verb, line);
  }

  commitReady(...[bytes, verb, line]: Parameters<FlowSink["commitReady"]>): void {
    this.#messages.commitReady(this.batch, bytes, verb, line);
  }

  commitCopies(...[count, bytes, line]: Parameters<FlowSink["commitCopies"]>): void {
    this.batch.commitCopies(count, bytes, line);
  }

  adopt(batch: Batch): void {
    this.batch = batch;
  }

  refuse({ reason }: Parameters<FlowSink["refuse"]>[0]): void {
    throw new Error(reason);
  }

  /** Pumps all flows of an input that is at hand. @returns bytes of their messages */
  drain(feed: FlowFeed): number {
    let sent = 0;
    const drop = (): void => {
      sent += this.batch.bytes;
      this.batch.clear();
    };
    do while (feed.pump(this)) drop();
    while (feed.fill() === true);
    drop();
    return sent;
  }
}
