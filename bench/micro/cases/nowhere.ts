import type { FlowFeed } from "../../../src/format/feed.ts";
import { Refusals } from "../../../src/format/refusals.ts";
import { Batch } from "../../../src/netlink/batch.ts";
import { FlowRequests } from "../../../src/ovs/flow-requests.ts";

// A target for feeds that frames messages without sending them.

const MESSAGES = 4096;

/** A target for feeds: messages are framed as by a load, and dropped. */
export class Nowhere {
  readonly requests: FlowRequests = new FlowRequests(30, 1, new Batch(MESSAGES, 1 << 20));
  readonly #refusals = new Refusals(1);

  /** Pumps all flows of a synchronous input. @returns bytes of their messages */
  drain(feed: FlowFeed): number {
    let sent = 0;
    const drop = ({ batch }: FlowRequests): void => {
      const [refusal] = this.#refusals.list;
      if (refusal !== undefined) throw new Error(refusal.reason);
      sent += batch.bytes;
      batch.clear();
    };
    do {
      for (let ready; (ready = feed.pump(this.requests, this.#refusals)) !== undefined;)
        drop(ready);
    } while (feed.fill() === true);
    drop(this.requests);
    return sent;
  }
}
