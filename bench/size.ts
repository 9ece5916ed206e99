import { MASKS_MAX } from "./work.ts";

/** How much is measured. */
export type Size = {
  /** Flows of growth, dump and the comparison with the limit. */
  readonly flows: number;
  readonly textFlows: number;
  /** Flows of the peers, at most `flows`. */
  readonly peerFlows: number;
  /** Flows of a run of the sweep and of a number of masks. */
  readonly sweepFlows: number;
  /** Flows of ovs-dpctl; its cost per flow is constant, so a part of the flows suffices. */
  readonly dpctlFlows: number;
  readonly pyrouteFlows: number;
  readonly rounds: number;
  readonly seed: number;
  readonly sweepSizes: readonly number[];
  readonly masks: readonly number[];
  /** Masks beside that of most flows, of both orders of them. */
  readonly otherMasks: readonly number[];
  readonly orderFlows: number;
  /** Masks that packets are looked up in, and those of them with caches of several sizes. */
  readonly packetMasks: readonly number[];
  readonly cacheMasks: readonly number[];
  /** How often 1,024 packets are looked up in few masks. */
  readonly packetPasses: number;
  /** Flows of the table of the part `churn`, operations a second, and for how long. */
  readonly churnFlows: number;
  readonly churnRate: number;
  readonly churnSeconds: number;
  /** Flows per second, in the part `latency`. */
  readonly rate: number;
  readonly latencyFlows: number;
  /** Batch sizes of the part `latency`. */
  readonly latencySizes: readonly number[];
};

/** The options on the command line. */
type SizeOptions = {
  readonly flows: number;
  readonly textFlows: number;
  readonly rounds: number;
  readonly rate: number;
};

export function fullSize(options: SizeOptions): Size {
  const { flows } = options;
  return {
    ...options,
    peerFlows: Math.min(flows, 200_000),
    sweepFlows: Math.min(flows, 64_000),
    dpctlFlows: Math.min(flows, 20_000),
    pyrouteFlows: Math.min(flows, 2000),
    seed: 0,
    sweepSizes: [1, 4, 16, 64, 256, 1024, 4096],
    masks: [1, 2, 4, 8, 16, 32, 64, 128, MASKS_MAX],
    otherMasks: [64, 1000, 3900],
    orderFlows: Math.min(flows, 20_000),
    packetMasks: [1, 4, 16, 64, 256, 1000, 3900],
    cacheMasks: [1, 64, 1000],
    packetPasses: 200,
    churnFlows: Math.min(flows, 20_000),
    churnRate: Math.min(options.rate, 5000),
    churnSeconds: 5,
    latencyFlows: Math.min(flows, 16_000),
    latencySizes: [1, 4, 16, 64, 256, 1024, 4096],
  };
}

/** Small sizes for everything, to check that all of it works. */
export function quickSize(options: Omit<SizeOptions, "textFlows">): Size {
  const flows = Math.min(options.flows, 20_000);
  return {
    ...fullSize({ ...options, flows, textFlows: flows }),
    dpctlFlows: Math.min(flows, 2000),
    pyrouteFlows: Math.min(flows, 200),
    sweepFlows: Math.min(flows, 8000),
    sweepSizes: [1, 16, 1024],
    masks: [1, 16, MASKS_MAX],
    otherMasks: [64, 1000],
    orderFlows: Math.min(flows, 2000),
    packetMasks: [1, 64],
    cacheMasks: [64],
    packetPasses: 8,
    churnFlows: Math.min(flows, 2000),
    churnSeconds: 1,
    latencyFlows: Math.min(flows, 2000),
    latencySizes: [1, 64, 1024],
  };
}
