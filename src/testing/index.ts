/**
 * A kernel in memory with Open vSwitch's datapath, for tests of what uses millrace: it needs no module, no rights
 * and no network, and it fails on request. docs/testing.md says what it does not do.
 */
export type { CallFault, Faults, FaultyCall } from "./faults.ts";
export { MemoryKernel, type MemoryKernelOptions } from "./memory-kernel.ts";
export { Random } from "./random.ts";
export type { Request } from "./wire.ts";
