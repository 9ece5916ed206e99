import { ufidOf } from "../../src/flow/text/ufid.ts";
import type { FlowTable, HeldFlow, TableChange } from "../../src/testing/flow-table.ts";
import { attributesOf, type Request } from "../../src/testing/wire.ts";
import * as A from "../../src/uapi/openvswitch.ts";
import { must } from "./violation.ts";

// What a kernel in memory was asked, and what became of its flows.

/** How a flow is at some time. */
export type FlowState = { readonly actions: string; readonly ufid: string | undefined };

/** A change of a flow. */
export type FlowEvent = {
  readonly match: string;
  readonly change: TableChange;
  readonly after: FlowState | undefined;
  /** Another program made it. */
  readonly byOther: boolean;
};

/** A request to change flows that was carried out, or refused. */
export type FlowRequest = {
  readonly command: number;
  readonly errno: number;
  readonly bytes: string;
};

const COMMAND_AT = 16;
const ATTRIBUTES_AT = 24;

/** How a flow is now. */
export function stateOf(flow: HeldFlow): FlowState {
  const { ufid } = flow;
  return {
    actions: flow.actions.toHex(),
    ufid:
      ufid === undefined
        ? undefined
        : ufidOf({ bytes: ufid, ufid: { start: 0, end: ufid.length } }),
  };
}

/** The flows of a table by what they match. */
export function statesOf(table: FlowTable): Map<string, FlowState> {
  return new Map(table.flows.map((flow) => [flow.match, stateOf(flow)]));
}

/** What happens from its making on. */
export class History {
  readonly start: ReadonlyMap<string, FlowState>;
  readonly events: FlowEvent[] = [];
  readonly requests: FlowRequest[] = [];
  readonly #states = new Map<string, (FlowState | undefined)[]>();
  /** Another program acts now. */
  byOther = false;
  /** A flush was asked for. */
  mayFlush = false;
  /** The datapath was made anew: its flows were gone with the old one. */
  isAnew = false;

  constructor(table: FlowTable | undefined) {
    this.start = table === undefined ? new Map() : statesOf(table);
  }

  onChange(change: TableChange, flow: HeldFlow): void {
    const { match } = flow;
    const isGone = change === "removed" || change === "flushed";
    const after = isGone ? undefined : stateOf(flow);
    this.events.push({ match, change, after, byOther: this.byOther });
    const states = this.#states.get(match);
    if (states === undefined) this.#states.set(match, [after]);
    else states.push(after);
  }

  onFlowRequest({ bytes }: Request, errno: number): void {
    const command = bytes[COMMAND_AT] ?? 0;
    if (command === A.OVS_FLOW_CMD_GET) return;
    const given = attributesOf(bytes, ATTRIBUTES_AT);
    const ufid = given.get(A.OVS_FLOW_ATTR_UFID);
    // A key without attributes names nothing, though this kernel refuses it.
    const isNamed =
      given.get(A.OVS_FLOW_ATTR_KEY)?.length !== 0 &&
      (given.has(A.OVS_FLOW_ATTR_KEY) || (ufid !== undefined && ufid.length <= 16));
    must(
      command !== A.OVS_FLOW_CMD_DEL || isNamed || this.mayFlush,
      () => "a request would flush the datapath",
    );
    this.requests.push({ command, errno, bytes: bytes.subarray(ATTRIBUTES_AT).toHex() });
  }

  /** Every state that a flow had since then, its first one too; undefined where it was not there. */
  statesOf(match: string): (FlowState | undefined)[] {
    const gone = this.isAnew ? [undefined] : [];
    return [this.start.get(match), ...(this.#states.get(match) ?? []), ...gone];
  }

  /** Requests with a command. */
  count(command: number): number {
    return this.requests.filter((request) => request.command === command).length;
  }
}
