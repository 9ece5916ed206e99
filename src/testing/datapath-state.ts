import type { KernelFeatures } from "../flow/rules/features.ts";
import type { Families } from "./family.ts";
import { FlowTable } from "./flow-table.ts";
import type { Request } from "./wire.ts";

/** Packets and bytes of a port, as struct ovs_vport_stats has them: received, sent, errors, dropped. */
type PortCounters = [
  rxPackets: number,
  txPackets: number,
  rxBytes: number,
  txBytes: number,
  rxErrors: number,
  txErrors: number,
  rxDropped: number,
  txDropped: number,
];

/** A port of a datapath in memory. */
export type PortState = {
  readonly number: number;
  readonly name: string;
  /** OVS_VPORT_TYPE_*. */
  readonly type: number;
  readonly interfaceIndex: number;
  upcallPortIds: readonly number[];
  readonly counters: PortCounters;
  /** Payload of OVS_VPORT_ATTR_OPTIONS. */
  options: Uint8Array | undefined;
  /** Packets that went out of it and were not taken yet. */
  readonly sent: Uint8Array[];
};

/** A meter. */
export type MeterState = {
  readonly bands: number;
  /** Who replaces it is told what it has counted. */
  readonly keepsStats: boolean;
  packets: number;
  byteCount: number;
};

/** A datapath in memory. */
export type DatapathState = {
  readonly name: string;
  readonly index: number;
  userFeatures: number;
  masksCacheSize: number;
  perCpuPortIds: readonly number[];
  /** Packets that found a flow, that did not, and upcalls that nobody got. */
  hit: number;
  missed: number;
  lost: number;
  readonly ports: Map<number, PortState>;
  readonly table: FlowTable;
  readonly meters: Map<number, MeterState>;
};

/** What the families share. */
export type KernelParts = {
  readonly families: Families;
  readonly features: KernelFeatures;
  /** Sends a message to a multicast group, and as an echo to who asked for that. */
  readonly notify: (group: number, message: Uint8Array, request: Request) => void;
  readonly hasListeners: (group: number) => boolean;
  /** Sends a message to a port id. @returns whether somebody got it */
  readonly upcall: (portId: number, message: Uint8Array) => boolean;
  readonly byIndex: (index: number) => DatapathState | undefined;
  readonly byName: (name: string) => DatapathState | undefined;
  readonly datapaths: Map<number, DatapathState>;
  /** Interfaces by name: of ports, and others. */
  readonly interfaces: Map<string, number>;
  /** A number for a new interface. */
  readonly nextInterface: () => number;
};

/** A datapath with nothing in it. */
export function newDatapath(name: string, index: number): DatapathState {
  return {
    name,
    index,
    userFeatures: 0,
    masksCacheSize: 256,
    perCpuPortIds: [],
    hit: 0,
    missed: 0,
    lost: 0,
    ports: new Map(),
    table: new FlowTable(),
    meters: new Map(),
  };
}

/** A port that nothing has passed. */
export function newPort(number: number, name: string, type: number, index: number): PortState {
  return {
    number,
    name,
    type,
    interfaceIndex: index,
    upcallPortIds: [0],
    counters: [0, 0, 0, 0, 0, 0, 0, 0],
    options: undefined,
    sent: [],
  };
}
