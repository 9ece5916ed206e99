import { OvsChannel } from "../../src/ovs/channel.ts";
import { createDatapath, type DatapathHandle, handleOf } from "../../src/ovs/datapath.ts";
import { ENOENT } from "../../src/sys/errno.ts";
import type { FlowTable, HeldFlow } from "../../src/testing/flow-table.ts";
import { MemoryKernel } from "../../src/testing/index.ts";
import type { Request } from "../../src/testing/wire.ts";
import { OVS_FLOW_CMD_GET, OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";

/** Behind struct nlmsghdr, in struct genlmsghdr. */
const COMMAND_AT = 16;
/** What one reply costs in the receive buffer. */
const REPLY_BYTES = 768;
const COMMANDS = ["", "NEW", "DEL", "GET", "SET"];

/** A request to the family ovs_flow. */
export type FlowRequest = Request & { readonly command: number };

/** A datapath of a kernel in memory, and what a test scripts of it. */
export class ScriptedDatapath implements Disposable {
  readonly kernel: MemoryKernel = new MemoryKernel();
  readonly channel: OvsChannel = new OvsChannel(undefined, this.kernel);
  readonly handle: DatapathHandle;
  readonly table: FlowTable;
  /** Flow requests of all sockets, in the order in which they were carried out. */
  readonly requests: FlowRequest[] = [];
  /** Overrides the answer to a request: an errno, or undefined for the usual answer. */
  refuse: (request: FlowRequest) => number | undefined = () => undefined;
  /** Whether the kernel has no memory for the reply to a request; never over the channel's own socket. */
  hasNoMemory: (request: Request) => boolean = () => false;
  /** So many replies fit the receive buffers. */
  room: number | undefined;
  /** What a dump gives of the flows that are there. */
  onDump: ((flows: HeldFlow[]) => readonly HeldFlow[]) | undefined;
  /** The module is unloaded: the kernel knows no family. */
  isUnloaded = false;

  constructor() {
    this.handle = handleOf(
      this.channel,
      createDatapath(this.channel, "scripted0", { userFeatures: 0 }),
    );
    const { kernel } = this;
    const state = kernel.datapaths.byName("scripted0");
    if (state === undefined) throw new Error("there is no datapath");
    this.table = state.table;
    const [own] = kernel.portIds();
    kernel.faults = {
      refuse: (request) => this.#refuse(request),
      noMemory: (request) => request.portId !== own && this.hasNoMemory(request),
      before: () => {
        if (this.room !== undefined) kernel.limitReceiveBuffers(this.room * REPLY_BYTES);
      },
    };
    this.#scriptDumps();
  }

  /** The number of the family of flows. */
  get family(): number {
    return this.kernel.families.idOf(OVS_FLOW_FAMILY);
  }

  get flows(): readonly HeldFlow[] {
    return this.table.flows;
  }

  /** Somebody deletes the datapath. */
  remove(): void {
    const state = this.kernel.datapaths.byName(this.handle.name);
    if (state !== undefined) this.kernel.datapaths.remove(state);
  }

  /** Commands of the flow requests so far, of those that change something; all are forgotten. */
  takeCommands(): string[] {
    return this.requests
      .splice(0)
      .filter(({ command }) => command !== OVS_FLOW_CMD_GET)
      .map(({ command }) => COMMANDS[command] ?? "?");
  }

  [Symbol.dispose](): void {
    this.channel[Symbol.dispose]();
  }

  #refuse(request: Request): number | undefined {
    if (this.isUnloaded) return ENOENT;
    if (request.type !== this.family) return undefined;
    const asked = { ...request, command: request.bytes[COMMAND_AT] ?? 0 };
    this.requests.push(asked);
    return this.refuse(asked);
  }

  // A dump walks the table by place: it finds there what the test has it find.
  #scriptDumps(): void {
    const family = this.kernel.families.byName(OVS_FLOW_FAMILY);
    const dump = family?.dump?.bind(family);
    if (family === undefined || dump === undefined) throw new Error("there is no family of flows");
    Object.defineProperty(family, "dump", {
      value: (request: Request) => {
        const walk = dump(request);
        const given = this.onDump?.([...this.table.flows]);
        if (walk === undefined || given === undefined) return walk;
        const { flows } = this.table;
        const take = (): ReturnType<typeof walk.take> => {
          const held = flows.splice(0, flows.length, ...given);
          try {
            return walk.take();
          } finally {
            flows.splice(0, flows.length, ...held);
          }
        };
        return { take };
      },
    });
  }
}
