import type { DatapathInfo } from "../../src/ovs/datapath.ts";

/** A datapath without flows and packets, as the kernel would describe it. */
export function datapathInfo(name: string, index: number): DatapathInfo {
  return {
    name,
    index,
    userFeatures: 0,
    features: [],
    perCpuPortIds: [],
    stats: { hit: 0, missed: 0, lost: 0, flows: 0 },
    megaflow: { maskHit: 0, masks: 0, cacheHit: 0 },
    masksCacheSize: undefined,
  };
}
