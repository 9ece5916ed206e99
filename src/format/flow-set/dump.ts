import { mayBePadded, withoutPadding } from "../../flow/action/padding.ts";
import { UFID_SIZE } from "../../flow/key/ufid.ts";
import type { FlowParts } from "../../flow/parts.ts";
import type { PortNames } from "../../flow/ports.ts";
import { MatchNormalizer } from "../../flow/shape/match-normalizer.ts";
import { OVS_FLOW_ATTR_ACTIONS, OVS_FLOW_ATTR_UFID } from "../../uapi/openvswitch.ts";
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
  readonly #match = new MatchNormalizer();

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
    const { bytes, ufid, actions, packets, byteCount } = flow;
    const match = this.#match;
    if (actions.start < 0 || !match.read(flow)) return false;
    const isWhole = ufid.end - ufid.start === UFID_SIZE;
    if (ufid.start >= 0 && !isWhole) this.shortUfids++;
    const isGiven = isWhole && !match.isHash(bytes, ufid.start);
    const out = this.#out;
    const writer = out.begin();
    if (isGiven) writer.bytes(OVS_FLOW_ATTR_UFID, bytes, ufid.start, ufid.end);
    else match.writeHash(writer);
    match.write(writer);
    if (mayBePadded(bytes, actions.start, actions.end)) {
      const list = withoutPadding(bytes.subarray(actions.start, actions.end));
      writer.bytes(OVS_FLOW_ATTR_ACTIONS, list);
    } else writer.bytes(OVS_FLOW_ATTR_ACTIONS, bytes, actions.start, actions.end);
    return out.commit({
      verb: "put",
      line: out.flows + 1,
      ownUfid: isGiven,
      ports: this.#ports === undefined ? NO_PORTS : this.#portsOf(this.#ports),
      counters: counters ? [packets, byteCount] : undefined,
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

const NO_PORTS: readonly PortUse[] = [];
