import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { OVS_HEADER_SIZE } from "../uapi/openvswitch.ts";
import type { KernelParts } from "./datapath-state.ts";
import type { Family } from "./family.ts";
import { genericMessage, type Request } from "./wire.ts";

/** What a message of a family says beside its attributes. */
type OvsHead = {
  readonly command: number;
  readonly datapath: number;
  /** None by default. */
  readonly flags?: number;
  /** The request that it answers; it is about none by default. */
  readonly request?: Pick<Request, "sequence" | "portId">;
};

/** What the families of Open vSwitch have in common. */
export abstract class OvsFamily implements Family {
  abstract readonly name: string;
  abstract readonly version: number;
  readonly headerBytes: number = OVS_HEADER_SIZE;
  abstract readonly attributeMax: number;
  abstract readonly groups: readonly string[];
  protected readonly kernel: KernelParts;

  constructor(kernel: KernelParts) {
    this.kernel = kernel;
  }

  abstract run(request: Request, reply: (message: Uint8Array) => void): number;

  /** The number of its multicast group. */
  protected get group(): number {
    return this.kernel.families.groupOf(this.groups[0] ?? "");
  }

  /** A message of the family. `write` must not make another message meanwhile. */
  protected message(
    { request: { sequence, portId } = { sequence: 0, portId: 0 }, ...head }: OvsHead,
    write: (writer: AttributeWriter) => void,
  ): Uint8Array {
    const { name, version } = this;
    const type = this.kernel.families.idOf(name);
    return genericMessage({ type, version, sequence, portId, ...head }, write);
  }
}
