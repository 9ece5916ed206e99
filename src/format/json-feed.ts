import { FlowJsonLineEncoder } from "../flow/json.ts";
import { FlowLineEncoder, type FlowLineOptions } from "../flow/line.ts";
import type { FlowFeed } from "./feed.ts";
import type { ByteSource } from "./source.ts";
import { TextFeed } from "./text-feed.ts";

/**
 * Flows in JSON, one object per line; blank lines are skipped. Errors have the path in the object.
 */
export function jsonFeed(source: ByteSource, options: FlowLineOptions): FlowFeed {
  return new TextFeed(source, options, new FlowJsonLineEncoder(new FlowLineEncoder(options)));
}
