import type { FlowOrder } from "../flow/mask-order.ts";
import type { LineNotes } from "../format/feed.ts";
import { counted } from "./output.ts";

/** The notes of a report on lines of pasted dumps; empty if they were like a kernel's. */
export function notesText({ completed, passedOver }: LineNotes): string {
  const { headers, members } = passedOver;
  const lines = [
    completed > 0
      ? `  completed ${counted(completed, "line")} of a dump: what it left out is wildcarded (ttl=0/0, tcp_flags(0/0), arp() …)`
      : "",
    headers > 0 ? `  skipped ${counted(headers, "line")} "flow-dump from …"` : "",
    members.length > 0 ? `  skipped members that no kernel has: ${members.join(", ")}` : "",
  ];
  return lines.map((line) => (line === "" ? "" : `${line}\n`)).join("");
}

/** The line about the order of flows; empty if another order could not be faster. */
export function orderText({ order, masks, walkedInFileOrder, walked, reason }: FlowOrder): string {
  if (order === "masks") {
    const [before, now] = [walkedInFileOrder, walked].map((mean) => (mean ?? 0).toFixed(1));
    return `  order    another one than the file's: of ${counted(masks ?? 0, "mask")} a put walks ${now}, not ${before}\n`;
  }
  return reason === "" ? "" : `  order    that of the file: ${reason}\n`;
}
