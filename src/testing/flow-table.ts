import { compared, type ExactKey, type NewFlow, under } from "./flow-match.ts";

/*
 * The flow table of a datapath (net/openvswitch/flow_table.c): flows by the mask that they have, in which each is found
 * by its masked key, and all of them by their UFID.
 */

/** A flow that is held. */
export type HeldFlow = {
  readonly ufid: Uint8Array | undefined;
  /** The key that it was put with, and what is kept of it under its mask. */
  readonly exact: string;
  readonly masked: string;
  readonly mask: Mask;
  /** Where it is found under its mask. */
  readonly place: string;
  /** What it matches: the same for flows with equal keys under equal masks. */
  readonly match: string;
  /** Payloads of its attributes as they are dumped. */
  readonly keyBytes: Uint8Array;
  readonly maskBytes: Uint8Array;
  actions: Uint8Array;
  packets: number;
  byteCount: number;
  usedMs: number;
  tcpFlags: number;
};

/** What flows have in common that match the same bits. */
type Mask = {
  readonly id: string;
  readonly shape: number;
  /** The words in which a bit is matched, and the bits. */
  readonly words: Int32Array;
  readonly bits: Int32Array;
  readonly flows: Map<string, HeldFlow>;
};

/** What becomes of a flow. */
export type TableChange = "put" | "actions" | "removed" | "flushed";

/** Flows as the kernel keeps and finds them. */
export class FlowTable {
  /** Is told each change, behind it. */
  onChange: (change: TableChange, flow: HeldFlow) => void = () => {};
  /** All flows in the order in which a dump walks them. */
  readonly flows: HeldFlow[] = [];
  readonly masks: Map<string, Mask> = new Map<string, Mask>();
  readonly #byUfid = new Map<string, HeldFlow>();

  /** The flow that packets with this key belong to: of several whose masks differ, that of the first mask. */
  lookUp(exact: ExactKey): HeldFlow | undefined {
    for (const mask of this.masks.values()) {
      const found = this.#under(mask, exact);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** All flows that packets with this key belong to: to which of them they go, the order of the masks decides. */
  lookUpAll(exact: ExactKey): HeldFlow[] {
    return [...this.masks.values()].flatMap((mask) => this.#under(mask, exact) ?? []);
  }

  /** The flow that has just this key, whatever its mask is, and no UFID (`ovs_flow_tbl_lookup_exact`). */
  lookUpExact(exact: ExactKey): HeldFlow | undefined {
    for (const mask of this.masks.values()) {
      const found = this.#under(mask, exact);
      if (found !== undefined && found.ufid === undefined && found.exact === exact.text)
        return found;
    }
    return undefined;
  }

  byUfid(ufid: Uint8Array): HeldFlow | undefined {
    return this.#byUfid.get(ufid.toHex());
  }

  /** Whether a flow has this key, as `ovs_flow_cmp` compares: one with a UFID by what it keeps of its own key. */
  isSame(flow: HeldFlow, exact: ExactKey): boolean {
    if (flow.ufid === undefined) return flow.exact === exact.text;
    return compared(flow.masked, exact) === compared(exact.text, exact);
  }

  insert(flow: NewFlow, actions: Uint8Array): HeldFlow {
    let mask = this.masks.get(flow.maskId);
    if (mask === undefined) {
      mask = {
        id: flow.maskId,
        shape: flow.exact.shape,
        words: flow.maskWords,
        bits: flow.maskBits,
        flows: new Map(),
      };
      this.masks.set(flow.maskId, mask);
    }
    const place = under(flow.exact, flow.maskWords, flow.maskBits);
    const held: HeldFlow = {
      ufid: flow.ufid,
      exact: flow.exact.text,
      masked: flow.masked,
      place,
      match: `${flow.maskId} ${place}`,
      mask,
      keyBytes: flow.keyBytes,
      maskBytes: flow.maskBytes,
      actions,
      packets: 0,
      byteCount: 0,
      usedMs: 0,
      tcpFlags: 0,
    };
    mask.flows.set(place, held);
    this.flows.push(held);
    if (flow.ufid !== undefined) this.#byUfid.set(flow.ufid.toHex(), held);
    this.onChange("put", held);
    return held;
  }

  remove(flow: HeldFlow): void {
    this.flows.splice(this.flows.indexOf(flow), 1);
    flow.mask.flows.delete(flow.place);
    if (flow.mask.flows.size === 0) this.masks.delete(flow.mask.id);
    if (flow.ufid !== undefined) this.#byUfid.delete(flow.ufid.toHex());
    this.onChange("removed", flow);
  }

  setActions(flow: HeldFlow, actions: Uint8Array): void {
    flow.actions = actions;
    this.onChange("actions", flow);
  }

  flush(): void {
    const gone = this.flows.splice(0);
    this.masks.clear();
    this.#byUfid.clear();
    for (const flow of gone) this.onChange("flushed", flow);
  }

  #under(mask: Mask, exact: ExactKey): HeldFlow | undefined {
    if (mask.shape !== exact.shape) return undefined;
    return mask.flows.get(under(exact, mask.words, mask.bits));
  }
}
