import type { CtLimit } from "../ovs/ct-limit.ts";
import type { TunnelOptions } from "../ovs/tunnel.ts";

/** A port in a snapshot. */
export type SnapshotPort = {
  readonly number: number;
  readonly name: string;
  /** As `millrace port list` names it. */
  readonly type: string;
  readonly tunnel?: TunnelOptions;
};

/** The facts of a snapshot about its datapath: `snapshot` in the last record of a flow set. */
export type SnapshotFacts = {
  readonly datapath: string;
  readonly ports: readonly SnapshotPort[];
  /** OVS_DP_F_* bits of the datapath. */
  readonly userFeatures: number;
  /** Limits of connections, if requested. */
  readonly ctLimits?: readonly CtLimit[];
  /**
   * 0 if two passes over the datapath found the same flows with the same actions; otherwise how
   * many differed in the last two.
   */
  readonly moving: number;
};

/** Reads the facts from a file, which is not trusted. @returns undefined if they are invalid */
export function snapshotFacts(value: unknown): SnapshotFacts | undefined {
  if (!isRecord(value)) return undefined;
  const { datapath, ports, userFeatures, ctLimits, moving } = value;
  if (typeof datapath !== "string" || !isCount(userFeatures) || !isCount(moving)) return undefined;
  if (!Array.isArray(ports)) return undefined;
  const known = ports.map(portOf);
  if (!known.every((port) => port !== undefined)) return undefined;
  const facts = { datapath, ports: known, userFeatures, moving };
  if (ctLimits === undefined) return facts;
  if (!Array.isArray(ctLimits)) return undefined;
  const limits = ctLimits.map(limitOf);
  return limits.every((limit) => limit !== undefined) ? { ...facts, ctLimits: limits } : undefined;
}

function portOf(value: unknown): SnapshotPort | undefined {
  if (!isRecord(value)) return undefined;
  const { number, name, type, tunnel } = value;
  if (!isCount(number) || typeof name !== "string" || typeof type !== "string") return undefined;
  if (tunnel === undefined) return { number, name, type };
  if (!isRecord(tunnel)) return undefined;
  const { destinationPort, groupPolicy } = tunnel;
  const options: TunnelOptions = {
    ...(isCount(destinationPort) ? { destinationPort } : {}),
    ...(typeof groupPolicy === "boolean" ? { groupPolicy } : {}),
  };
  return { number, name, type, tunnel: options };
}

function limitOf(value: unknown): CtLimit | undefined {
  if (!isRecord(value)) return undefined;
  const { zone, limit } = value;
  if (!isCount(limit)) return undefined;
  return zone === "default" || isCount(zone) ? { zone, limit } : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
