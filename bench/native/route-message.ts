import { closeSync, openSync, writeSync } from "node:fs";
import { Batch } from "../../src/netlink/batch.ts";
import { putWord } from "../../src/netlink/message.ts";

// Routes as rtnetlink messages: work without a datapath.

/** From linux/rtnetlink.h. */
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTA_DST = 1;
const RTA_OIF = 4;
const AF_INET = 2;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

const MESSAGES = 4096;

/** The address of route `index`; distinct for indices below 2^24. */
export function routeAddress(index: number): string {
  return `10.${(index >>> 16) & 0xff}.${(index >>> 8) & 0xff}.${index & 0xff}`;
}

/** Writes `count` routes to single addresses, out of interface `link`, as messages back to back. */
export function writeRoutes(path: string, count: number, link: number): void {
  const batch = new Batch(MESSAGES, MESSAGES * 64);
  const fd = openSync(path, "w");
  for (let i = 0; i < count; i++) {
    batch.begin(RTM_NEWROUTE, 0);
    const { writer } = batch;
    // struct rtmsg { u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags }
    putWord(writer, AF_INET | (32 << 8));
    putWord(
      writer,
      RT_TABLE_MAIN | (RTPROT_BOOT << 8) | (RT_SCOPE_LINK << 16) | (RTN_UNICAST << 24),
    );
    putWord(writer, 0);
    writer.bytes(RTA_DST, Uint8Array.from(routeAddress(i).split("."), Number));
    writer.u32(RTA_OIF, link);
    batch.commit(i);
    if (!batch.full && i + 1 < count) continue;
    writeSync(fd, batch.memory.u8, 0, batch.bytes);
    batch.clear();
  }
  closeSync(fd);
}
