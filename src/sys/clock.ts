import { SystemCallError } from "./errors.ts";
import { clockGettime } from "./libc.ts";
import { PinnedMemory } from "./memory.ts";

/** The clock of the kernel's timestamps (`ktime_get_ts64`). */
const CLOCK_MONOTONIC = 1;

/** A struct timespec: seconds and nanoseconds, 64 bits each. */
const TIMESPEC_SIZE = 16;

let time: PinnedMemory | undefined;

/**
 * Milliseconds on CLOCK_MONOTONIC, comparable with the kernel's timestamps. Neither
 * `process.hrtime` nor `performance.now` is that clock in Bun: both count from the start of the
 * process.
 */
export function monotonicMs(): number {
  time ??= new PinnedMemory(TIMESPEC_SIZE);
  const { address, u32 } = time;
  const status = clockGettime(CLOCK_MONOTONIC, address);
  if (status < 0) throw new SystemCallError("clock_gettime", -status, "reading the clock");
  const [low = 0, high = 0, nanoseconds = 0] = u32;
  return (high * 0x1_0000_0000 + low) * 1000 + Math.floor(nanoseconds / 1_000_000);
}
