import type { PortNames } from "../flow/ports.ts";
import type { StartOptions } from "../load/start-load.ts";

/** The ports of a dry run without a datapath: none is known, and it is noted if one was named. */
export class UnknownPorts implements PortNames {
  /** Whether a flow named a port. */
  asked = false;

  numberOf(): undefined {
    this.asked = true;
  }

  nameOf(): undefined {
    // A dry run prints no ports.
  }

  /** The options of such a dry run. @param any whether every name is accepted */
  accepting(any = false): Pick<StartOptions, "anyPort" | "ports"> {
    return any ? { anyPort: true } : { anyPort: "sets", ports: this };
  }
}
