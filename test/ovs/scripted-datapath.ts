import { AttributeReader, decodeString } from "../../src/netlink/attribute-reader.ts";
import { NetlinkSocket, type SocketOptions } from "../../src/netlink/socket.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import type { DatapathHandle } from "../../src/ovs/datapath.ts";
import { EEXIST, EINVAL, ENODEV, ENOENT } from "../../src/sys/errno.ts";
import {
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  GENL_ID_CTRL,
  NETLINK_GENERIC,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_MULTI,
} from "../../src/uapi/netlink.ts";
import {
  OVS_DATAPATH_FAMILY,
  OVS_DP_ATTR_MEGAFLOW_STATS,
  OVS_DP_ATTR_NAME,
  OVS_DP_ATTR_STATS,
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_GET,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
  OVS_FLOW_FAMILY,
} from "../../src/uapi/openvswitch.ts";
import {
  doneReply,
  errorReply,
  message,
  type Request,
  ScriptedKernel,
} from "../netlink/scripted-kernel.ts";

/** Netlink, generic netlink and ovs_header. */
const PREFIX = 24;

/** Payloads by type. */
type Attributes = Map<number, Uint8Array>;

/** A flow that is held: payloads of its attributes, in hexadecimal, and those of its key and its mask. */
export type HeldFlow = {
  readonly ufid: string | undefined;
  readonly key: string;
  readonly keyHash: number | bigint;
  readonly mask: string;
  readonly match: Attributes;
  readonly bits: Attributes;
  actions: string;
};

const EMPTY = new Uint8Array(0);

/** A request to the family ovs_flow. */
export type FlowRequest = Request & { readonly command: number };

/**
 * The flow table of one datapath, in memory, behind the sockets of a channel: NEW, SET, DEL, GET and dumps as
 * `ovs_flow_cmd_new` and its neighbours carry them out (net/openvswitch/datapath.c). What a test scripts of a
 * socket it scripts in {@link kernels}.
 */
export class ScriptedDatapath implements Disposable {
  readonly channel: OvsChannel = new OvsChannel();
  readonly handle: DatapathHandle = { channel: this.channel, index: 7, name: "scripted0" };
  /** The kernel's end of every socket that was opened, in their order. */
  readonly kernels: ScriptedKernel[] = [];
  /** Flow requests of all sockets, in the order in which they were carried out. */
  readonly requests: FlowRequest[] = [];
  flows: HeldFlow[] = [];
  /** Numbers of the families; a missing one has none. */
  readonly families: Map<string, number> = new Map([
    [OVS_FLOW_FAMILY, 0x20],
    [OVS_DATAPATH_FAMILY, 0x40],
  ]);
  /** Overrides the answer to a request: an errno, or undefined for the usual answer. */
  refuse: (request: FlowRequest) => number | undefined = () => undefined;
  /** Is given each socket's kernel before anything is sent over it. */
  onOpen: (kernel: ScriptedKernel) => void = () => {};
  /** What a dump gives of the flows that are there. */
  onDump: (flows: HeldFlow[]) => readonly HeldFlow[] = (flows) => flows;
  /** The datapath was deleted. */
  gone = false;

  constructor() {
    this.channel.openSocket = (protocol?: number, options?: SocketOptions) => {
      const kernel = new ScriptedKernel();
      kernel.answer = this.#answer;
      this.kernels.push(kernel);
      this.onOpen(kernel);
      return new NetlinkSocket(protocol ?? NETLINK_GENERIC, { ...options, calls: kernel });
    };
  }

  [Symbol.dispose](): void {
    this.channel[Symbol.dispose]();
  }

  /** Commands of the flow requests so far, of those that change something; all are forgotten. */
  takeCommands(): string[] {
    const names = ["", "NEW", "DEL", "GET", "SET"];
    return this.requests
      .splice(0)
      .filter(({ command }) => command !== OVS_FLOW_CMD_GET)
      .map(({ command }) => names[command] ?? "?");
  }

  readonly #answer = (request: Request): readonly Uint8Array[] => {
    const { type, sequence, flags, bytes } = request;
    const isAcked = (flags & NLM_F_ACK) !== 0;
    if (type < 0x10) return isAcked ? [errorReply(sequence, 0)] : [];
    if (type === GENL_ID_CTRL) return this.#describeFamily(request);
    if (type === this.families.get(OVS_DATAPATH_FAMILY)) return this.#describe(request);
    if (type !== this.families.get(OVS_FLOW_FAMILY)) return [errorReply(sequence, ENOENT)];
    const asked = { ...request, command: bytes[16] ?? 0 };
    this.requests.push(asked);
    const refused = this.refuse(asked) ?? (this.gone ? ENODEV : undefined);
    if (refused !== undefined) return [errorReply(sequence, refused)];
    if ((flags & NLM_F_DUMP) === NLM_F_DUMP && asked.command === OVS_FLOW_CMD_GET) {
      const held = this.onDump(this.flows).map((flow) =>
        this.#flowReply(flow, sequence, NLM_F_MULTI),
      );
      return [...held, doneReply(sequence)];
    }
    const found: Uint8Array[] = [];
    const errno = this.#carryOut(asked, found);
    if (errno !== 0) return [errorReply(sequence, errno)];
    return isAcked ? [...found, errorReply(sequence, 0)] : found;
  };

  #describeFamily({ bytes, sequence }: Request): readonly Uint8Array[] {
    const reader = new AttributeReader().reset(bytes, 20, bytes.length);
    let name = "";
    while (reader.next()) {
      if (reader.type === CTRL_ATTR_FAMILY_NAME) {
        name = decodeString(bytes, reader.start, reader.start + reader.length);
      }
    }
    const id = this.families.get(name);
    if (id === undefined) return [errorReply(sequence, ENOENT)];
    const described = bytesOf(
      `${"00".repeat(4)}${attribute(CTRL_ATTR_FAMILY_ID, new Uint8Array([id, 0]).toHex())}`,
    );
    return [message(GENL_ID_CTRL, 0, sequence, described), errorReply(sequence, 0)];
  }

  #describe({ type, sequence }: Request): readonly Uint8Array[] {
    if (this.gone) return [errorReply(sequence, ENODEV)];
    const counts = new BigUint64Array([0n, 0n, 0n, BigInt(this.flows.length)]);
    const masks = new Set(this.flows.map(({ mask }) => mask)).size;
    const attributes = [
      attribute(OVS_DP_ATTR_NAME, `${new TextEncoder().encode(this.handle.name).toHex()}00`),
      attribute(OVS_DP_ATTR_STATS, new Uint8Array(counts.buffer).toHex()),
      attribute(
        OVS_DP_ATTR_MEGAFLOW_STATS,
        new Uint8Array(new Uint32Array([0, 0, masks, 0, 0, 0, 0, 0]).buffer).toHex(),
      ),
    ];
    const described = bytesOf(this.#prefix() + attributes.join(""));
    return [message(type, 0, sequence, described), errorReply(sequence, 0)];
  }

  // Generic header and ovs_header of the kernel's messages.
  #prefix(): string {
    return new Uint8Array([1, 1, 0, 0, this.handle.index, 0, 0, 0]).toHex();
  }

  // Returns an errno, or 0.
  #carryOut({ command, bytes, flags, sequence }: FlowRequest, found: Uint8Array[]): number {
    const given = attributesOf(bytes, PREFIX);
    const ufid = given.get(OVS_FLOW_ATTR_UFID)?.toHex();
    const keyBytes = given.get(OVS_FLOW_ATTR_KEY);
    const key = keyBytes?.toHex();
    const keyHash = Bun.hash(keyBytes ?? EMPTY);
    const actions = given.get(OVS_FLOW_ATTR_ACTIONS)?.toHex();
    if (command === OVS_FLOW_CMD_NEW) {
      if (keyBytes === undefined || key === undefined || actions === undefined) return EINVAL;
      const maskBytes = given.get(OVS_FLOW_ATTR_MASK) ?? EMPTY;
      const match = attributesOf(keyBytes);
      const held = this.#byUfid(ufid) ?? this.flows.find((flow) => meets(match, flow));
      if (held === undefined) {
        const mask = maskBytes.toHex();
        // Flows mostly differ at the end, which is compared first.
        const bits = new Map([...attributesOf(maskBytes)].toReversed());
        this.flows.push({ ufid, key, keyHash, mask, match, bits, actions });
      } else if ((flags & (NLM_F_CREATE | NLM_F_EXCL)) !== 0) return EEXIST;
      else held.actions = actions;
      return 0;
    }
    if (ufid === undefined && key === undefined) {
      if (command !== OVS_FLOW_CMD_DEL) return EINVAL;
      this.flows = [];
      return 0;
    }
    const held =
      ufid === undefined
        ? this.flows.find(
            (flow) => flow.ufid === undefined && flow.keyHash === keyHash && flow.key === key,
          )
        : this.#byUfid(ufid);
    if (command === OVS_FLOW_CMD_SET && actions !== undefined && key === undefined) return EINVAL;
    if (held === undefined) return ENOENT;
    if (command === OVS_FLOW_CMD_DEL) this.flows.splice(this.flows.indexOf(held), 1);
    else if (command === OVS_FLOW_CMD_SET) held.actions = actions ?? held.actions;
    else found.push(this.#flowReply(held, sequence, 0));
    return 0;
  }

  #byUfid(ufid: string | undefined): HeldFlow | undefined {
    return ufid === undefined ? undefined : this.flows.find((flow) => flow.ufid === ufid);
  }

  #flowReply({ ufid, key, mask, actions }: HeldFlow, sequence: number, flags: number): Uint8Array {
    const attributes = [
      ...(ufid === undefined ? [] : [attribute(OVS_FLOW_ATTR_UFID, ufid)]),
      attribute(OVS_FLOW_ATTR_KEY, key),
      attribute(OVS_FLOW_ATTR_MASK, mask),
      attribute(OVS_FLOW_ATTR_ACTIONS, actions),
    ].join("");
    const type = this.families.get(OVS_FLOW_FAMILY) ?? 0;
    return message(type, flags, sequence, bytesOf(this.#prefix() + attributes));
  }
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex);
}

/** An attribute with its padding. */
function attribute(type: number, payload: string): string {
  const header = new Uint8Array(new Uint16Array([payload.length / 2 + 4, type]).buffer);
  return header.toHex() + payload + "00".repeat((4 - ((payload.length / 2) & 3)) & 3);
}

/** The attributes from `start` on, by type. */
function attributesOf(bytes: Uint8Array, start = 0): Attributes {
  const found: Attributes = new Map();
  const reader = new AttributeReader().reset(bytes, start, bytes.length);
  while (reader.next()) {
    found.set(reader.type, bytes.subarray(reader.start, reader.start + reader.length));
  }
  return found;
}

/**
 * Whether the flow matches a packet with this key (`ovs_flow_tbl_lookup`); missing attributes are
 * zero.
 */
function meets(packet: Attributes, { match, bits }: HeldFlow): boolean {
  for (const [type, mask] of bits) {
    const own = packet.get(type) ?? EMPTY;
    const held = match.get(type) ?? EMPTY;
    for (let i = 0; i < mask.length; i++) {
      if ((((own[i] ?? 0) ^ (held[i] ?? 0)) & (mask[i] ?? 0)) !== 0) return false;
    }
  }
  return true;
}
