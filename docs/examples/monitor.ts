/**
 * Prints what changes in all datapaths of this network namespace, until SIGINT.
 *
 *   bun docs/examples/monitor.ts
 */
import { Datapath } from "millrace";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

using changes = Datapath.changes();
console.log("listening");
try {
  for await (const event of changes.events({ signal: stop.signal })) {
    switch (event.kind) {
      case "datapath":
        console.log(`${event.change} datapath ${event.datapath.name}`);
        break;
      case "port":
        console.log(`${event.change} port ${event.port.number} ${event.port.name}`);
        break;
      case "flow":
        console.log(`${event.change} flow ${event.flow.toString()}`);
        break;
      case "overrun":
        console.log(`${event.lost} changes lost: what was printed is not all`);
        break;
    }
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
}
