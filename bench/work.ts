import { closeSync, openSync, writeSync } from "node:fs";
import { FlowLineEncoder, type LineVerb } from "../src/flow/line.ts";
import { sampleLine } from "../src/format/sample.ts";
import { Batch } from "../src/netlink/batch.ts";
import { FlowRequests } from "../src/ovs/flow-requests.ts";

// The flows that the suite installs, written to a file as messages.

const MESSAGES = 4096;

/**
 * The number of masks in the part `masks`: each class of flows matches different bits of the
 * destination.
 */
export const MASKS_MAX = 256;

/**
 * Flow `index` of a set with `masks` masks. The source is matched exactly and differs for every
 * flow, so that no two overlap.
 */
export function maskedLine(index: number, masks: number): string {
  return sampleLine(index).replace(
    /dst=192\.168\.\d+\.\d+/,
    `dst=192.168.1.0/255.255.255.${index % masks}`,
  );
}

/**
 * Flows of one mask, those of the sample, and one flow each of `masks` others, which overlap none.
 * @param order whether the flows of the one mask come first or last
 */
export function orderedLine(
  index: number,
  { flows, masks, order }: { flows: number; masks: number; order: "first" | "last" },
): string {
  const alone = order === "first" ? index - flows : index;
  if (alone < 0 || alone >= masks) return sampleLine(order === "first" ? index : index - masks);
  const mask = alone + 1;
  return (
    `in_port(1),eth(),eth_type(0x0800),ipv4(src=11.0.${alone >> 8}.${alone & 255},` +
    `dst=0.0.0.0/0.0.${mask >> 8}.${mask & 255},proto=17,frag=no),udp() 2`
  );
}

/**
 * Flow `index` of those that recirculated packets find, under one of `masks` masks that overlap
 * none: a packet from 11.0.x.y, where x.y is `index`, to 10.9.0.0.
 */
export function lookedUpLine(index: number, masks: number): string {
  const mask = (index % masks) + 1;
  return (
    `recirc_id(1),in_port(1),eth(),eth_type(0x0800),ipv4(src=11.0.${index >> 8}.${index & 255},` +
    `dst=10.9.0.0/255.255.${mask >> 8}.${mask & 255},proto=17,frag=no),udp() drop`
  );
}

/** The flow of the sample with another output port. */
export function otherActions(index: number): string {
  return sampleLine(index).replace(/ 2$/, " 1");
}

/** How the messages of a file are encoded. */
type Encoding = {
  readonly flows: number;
  /** The first flow of the sample. */
  readonly first: number;
  /**
   * Whether flows have the hash of key and mask as their UFID; otherwise the kernel identifies them
   * by key.
   */
  readonly ufid: boolean;
  readonly verb?: LineVerb;
  readonly line?: (index: number) => string;
};

/**
 * Writes flows as netlink messages, back to back, for programs that send pre-encoded messages. The
 * programs fill in family, datapath, sequence and acks.
 */
export function writePacked(path: string, encoding: Encoding): void {
  const { flows, first, ufid, verb = "put", line = sampleLine } = encoding;
  const encoder = new FlowLineEncoder({ ufid, mode: verb });
  const batch = new Batch(MESSAGES, MESSAGES * 256);
  const requests = new FlowRequests(0, 0, batch);
  const text = new TextEncoder();
  const fd = openSync(path, "w");
  try {
    for (let i = 0; i < flows; i++) {
      const bytes = text.encode(line(first + i));
      requests.begin();
      encoder.encode(bytes, 0, bytes.length, i + 1, batch.writer);
      requests.commit(verb, i + 1);
      if (!batch.full && i + 1 < flows) continue;
      writeSync(fd, batch.memory.u8, 0, batch.bytes);
      batch.clear();
    }
  } finally {
    closeSync(fd);
  }
}
