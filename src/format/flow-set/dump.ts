import { withoutPadding } from "../../flow/action/padding.ts";
import { NO_OWNER, UFID_SIZE } from "../../flow/key/ufid.ts";
import { type FlowParts, hasGivenUfid } from "../../flow/parts.ts";
import type { PortNames } from "../../flow/ports.ts";
import { writeFlow } from "../../flow/write.ts";
import { OVS_FLOW_ATTR_ACTIONS } from "../../uapi/openvswitch.ts";
import type * as L from "./layout.ts";
import { walkPorts } from "./places.ts";
import type { FlowSetWriter, PortUse } from "./writer.ts";

/**
 * Writes a kernel's dump of flows into a flow set. A UFID of 16 bytes is kept if it is not the hash
 * of the flow's match; every other flow gets that hash, or no UFID, when it is loaded.
 */
export class FlowSetDump {
  readonly #out: FlowSetWriter;
  readonly #ports: PortNames | undefined;

  /**
   * The number of flows with UFIDs shorter than 16 bytes, for which a set has no room: they get the
   * hash of their match.
   */
  shortUfids = 0;
  /**
   * The number of flows with numbers of ports that have no name: in another datapath the number may
   * be another port's.
   */
  unnamedPorts = 0;

  /** @param ports if given, the set names ports instead of numbering them */
  constructor(out: FlowSetWriter, ports: PortNames | undefined) {
    this.#out = out;
    this.#ports = ports;
  }

  /**
   * Adds a flow.
   * @param counters whether to add its packets and bytes
   * @returns false if it cannot be read
   */
  add(flow: FlowParts, counters = false): boolean {
    const isShort = flow.ufid.start >= 0 && flow.ufid.end - flow.ufid.start !== UFID_SIZE;
    if (isShort) this.shortUfids++;
    const kept = isShort ? { ...flow, ufid: { start: -1, end: -1 } } : flow;
    const out = this.#out;
    const { bytes, actions } = kept;
    if (actions.start < 0) return false;
    const writer = out.begin();
    if (writeFlow(writer, kept, NO_OWNER, false) === "malformed") return false;
    const list = withoutPadding(bytes.subarray(actions.start, actions.end));
    writer.bytes(OVS_FLOW_ATTR_ACTIONS, list);
    const ports = this.#ports === undefined ? [] : this.#portsOf(this.#ports);
    const line = out.flows + 1;
    const { packets, byteCount } = flow;
    return out.commit({
      verb: "put",
      line,
      ownUfid: hasGivenUfid(kept),
      ports,
      ...(counters ? { counters: [packets, byteCount] } : {}),
    });
  }

  /** Ends the set. @param facts additional facts for its last record */
  finish(facts: L.MoreEndFacts = {}): void {
    this.#out.finish(this.#out.flows, facts);
  }

  // The places of numbers of named ports in the current flow.
  #portsOf(names: PortNames): PortUse[] {
    const message = this.#out.copy();
    const found: PortUse[] = [];
    let unnamed = 0;
    const offer = (offset: number): void => {
      const word = offset >> 2;
      const number = message[word] ?? 0;
      const name = names.nameOf(number);
      if (name !== undefined) found.push({ word, name });
      else if (number > 0) unnamed++; // not the local port, nor none, which is -1
    };
    walkPorts(new Uint8Array(message.buffer), message, 0, { offer });
    if (unnamed > 0) this.unnamedPorts++;
    return found;
  }
}
