import type { KernelFeatures } from "../flow/rules/features.ts";
import { CtLimitFamily } from "./ct-limit-family.ts";
import { DatapathFamily } from "./datapath-family.ts";
import type { DatapathState, KernelParts } from "./datapath-state.ts";
import type { Families, Family } from "./family.ts";
import { FlowFamily } from "./flow-family.ts";
import { MeterFamily } from "./meter-family.ts";
import { PacketFamily } from "./packet-family.ts";
import { PortFamily } from "./port-family.ts";

/** The first number of an interface behind that of `lo`. */
const FIRST_INTERFACE = 2;

/** The datapaths of a kernel in memory, and its interfaces. */
export class Datapaths implements KernelParts {
  readonly families: Families;
  readonly features: KernelFeatures;
  readonly notify: KernelParts["notify"];
  readonly hasListeners: KernelParts["hasListeners"];
  readonly upcall: KernelParts["upcall"];
  readonly datapaths: Map<number, DatapathState> = new Map<number, DatapathState>();
  readonly interfaces: Map<string, number> = new Map([["lo", 1]]);
  readonly packets: PacketFamily;
  readonly #own: DatapathFamily;
  #next = FIRST_INTERFACE;

  constructor(
    parts: Pick<KernelParts, "families" | "features" | "notify" | "hasListeners" | "upcall">,
  ) {
    this.families = parts.families;
    this.features = parts.features;
    this.notify = parts.notify;
    this.hasListeners = parts.hasListeners;
    this.upcall = parts.upcall;
    this.packets = new PacketFamily(this);
    this.#own = new DatapathFamily(this);
  }

  readonly nextInterface = (): number => this.#next++;

  readonly byIndex = (index: number): DatapathState | undefined => this.datapaths.get(index);

  readonly byName = (name: string): DatapathState | undefined =>
    [...this.datapaths.values()].find((dp) => dp.name === name);

  /** All families of Open vSwitch, in the order in which the module registers them. */
  makeFamilies(): Family[] {
    return [
      this.#own,
      new PortFamily(this),
      new FlowFamily(this),
      this.packets,
      new MeterFamily(this),
      new CtLimitFamily(this),
    ];
  }

  /** Takes a datapath away, with its ports and flows, as somebody else does. */
  remove(dp: DatapathState): void {
    this.#own.remove(dp);
  }
}
