import { Flow } from "../flow/flow.ts";
import { GENL_HEADER, type MessageReader } from "../netlink/message.ts";
import { MulticastListener, type Overrun } from "../netlink/multicast.ts";
import type { PinnedMemory } from "../sys/memory.ts";
import * as A from "../uapi/openvswitch.ts";
import type { OvsChannel, OvsMessage } from "./channel.ts";
import { OVS_PREFIX } from "./message.ts";
import { type DatapathInfo, decodeDatapath } from "./datapath.ts";
import { decodeFlow, newFlowParts } from "../flow/parts.ts";
import { decodePort, type PortInfo } from "./vport.ts";

/** The kinds of changes that can be listened to. */
export type ChangeKind = "datapath" | "port" | "flow";

/** What happened: created (or, for a flow, replaced), changed, or deleted. */
export type ChangeVerb = "new" | "set" | "delete";

/** A change, or a loss of changes. `datapathIndex` is {@link DatapathInfo.index}. */
export type ChangeEvent =
  | Overrun
  | (Change & { readonly kind: "datapath"; readonly datapath: DatapathInfo })
  | (Change & { readonly kind: "port"; readonly port: PortInfo })
  | (Change & { readonly kind: "flow"; readonly flow: Flow });

type Change = { readonly change: ChangeVerb; readonly datapathIndex: number };

/** Which changes are wanted. */
export type ChangeOptions = {
  /**
   * All kinds by default. While any program listens to flows, each install costs the kernel 50 %
   * more.
   */
  readonly kinds?: readonly ChangeKind[];
  /** {@link DatapathInfo.index} of the only datapath to listen to. */
  readonly datapathIndex?: number;
  /** 4 MiB by default. */
  readonly receiveBufferBytes?: number;
};

const FAMILIES: Readonly<Record<ChangeKind, readonly [family: string, group: string]>> = {
  datapath: [A.OVS_DATAPATH_FAMILY, A.OVS_DATAPATH_MCGROUP],
  port: [A.OVS_VPORT_FAMILY, A.OVS_VPORT_MCGROUP],
  flow: [A.OVS_FLOW_FAMILY, A.OVS_FLOW_MCGROUP],
};

const KINDS: readonly ChangeKind[] = ["datapath", "port", "flow"];

/** The numbers of NEW, DEL and SET are the same in all three families. */
const VERBS: ReadonlyMap<number, ChangeVerb> = new Map([
  [1, "new"],
  [2, "delete"],
  [4, "set"],
]);

/**
 * Changes of datapaths, ports and flows of the channel's network namespace, as the kernel
 * multicasts them. Some changes are silent: a flush, and the end of a deleted datapath's flows and
 * ports. Packets and counters are not changes.
 */
export function listenToChanges(
  channel: OvsChannel,
  options: ChangeOptions = {},
): MulticastListener<ChangeEvent> {
  const kinds = new Map<number, ChangeKind>();
  const groups: number[] = [];
  for (const kind of options.kinds ?? KINDS) {
    const [name, groupName] = FAMILIES[kind];
    const family = channel.family(name);
    kinds.set(family.id, kind);
    const group = family.groups.get(groupName);
    if (group !== undefined) groups.push(group);
  }
  const { receiveBufferBytes } = options;
  const socket = channel.openSocket(
    undefined,
    receiveBufferBytes === undefined ? {} : { receiveBufferBytes },
  );
  return new MulticastListener(socket, groups, (memory, message) =>
    decodeChange(memory, message, kinds.get(message.type), options.datapathIndex),
  );
}

/**
 * Reads a change from a message of one of the families; undefined if it is not a change, or not
 * wanted.
 */
export function decodeChange(
  memory: PinnedMemory,
  reader: MessageReader,
  kind: ChangeKind | undefined,
  wanted: number | undefined,
): ChangeEvent | undefined {
  const start = reader.payload + OVS_PREFIX;
  if (kind === undefined || start > reader.end) return undefined;
  const datapathIndex = memory.view.getInt32(reader.payload + GENL_HEADER, true);
  const change = VERBS.get(memory.u8[reader.payload] ?? 0);
  if (change === undefined || (wanted !== undefined && wanted !== datapathIndex)) return undefined;
  const { end } = reader;
  const message: OvsMessage = {
    bytes: memory.u8,
    view: memory.view,
    datapath: datapathIndex,
    start,
    end,
  };
  if (kind === "datapath")
    return { kind, change, datapathIndex, datapath: decodeDatapath(message) };
  if (kind === "port") return { kind, change, datapathIndex, port: decodePort(message) };
  const view = newFlowParts();
  decodeFlow(message, view);
  return { kind, change, datapathIndex, flow: Flow.fromParts(view) };
}
