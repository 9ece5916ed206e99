import { type DatapathHandle, infoOf } from "../../ovs/datapath.ts";
import { MillraceError } from "../../sys/errors.ts";

/**
 * The most masks of a datapath with 4 KiB pages; with larger pages, a multiple of it. Since Linux
 * 5.9 there is an eight-byte counter for each mask and CPU, contiguous per CPU
 * (`tbl_mask_array_alloc` in net/openvswitch/flow_table.c), and the per-CPU allocator gives no
 * piece above 32 KiB, or one page (`PCPU_MIN_UNIT_SIZE` in include/linux/percpu.h).
 */
const MASKS_STEP = 4096;

/**
 * The number of masks of a datapath that has no room for more; undefined if it has room, or if that
 * is unknown.
 */
export function fullOfMasks(datapath: DatapathHandle): number | undefined {
  try {
    const { masks } = infoOf(datapath).megaflow;
    return masks > 0 && masks % MASKS_STEP === 0 ? masks : undefined;
  } catch (error) {
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
}
