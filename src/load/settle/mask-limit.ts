import { type DatapathHandle, infoOf } from "../../ovs/datapath.ts";
import { MillraceError } from "../../sys/errors.ts";

/**
 * The masks that a datapath can have, in pages of 4 KiB; a multiple of it in larger ones. Since Linux 5.9
 * there is a counter of eight bytes for each mask and CPU, all of a CPU in one piece (`tbl_mask_array_alloc`
 * in net/openvswitch/flow_table.c), and the allocator for CPUs gives none above 32 KiB, or one page
 * (`PCPU_MIN_UNIT_SIZE` in include/linux/percpu.h).
 */
const MASKS_STEP = 4096;

/** The number of masks of a datapath that has room for no more; undefined where that is not so, or not known. */
export function fullOfMasks(datapath: DatapathHandle): number | undefined {
  try {
    const { masks } = infoOf(datapath).megaflow;
    return masks > 0 && masks % MASKS_STEP === 0 ? masks : undefined;
  } catch (error) {
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
}
