import type { Program } from "../model.ts";

/**
 * Colours of the programs, for light and dark backgrounds. They can be distinguished without
 * telling red from green; lines also differ in their dashes, and every plot has its numbers in a
 * table.
 */
export const PROGRAM_COLOURS: Readonly<Record<Program, readonly [light: string, dark: string]>> = {
  millrace: ["#0b62a8", "#5eb3f6"],
  C: ["#5a5f66", "#b6bcc4"],
  "ovs-dpctl": ["#b3450d", "#f39a5f"],
  libopenvswitch: ["#9c2c63", "#ef93bd"],
  libmnl: ["#7a3f96", "#c99ae0"],
  pyroute2: ["#8a6d00", "#dfc04a"],
  ip: ["#8a6d00", "#dfc04a"],
  bun: ["#8a6d00", "#dfc04a"],
};

/** Colours of the transports of one program. */
export const TRANSPORT_COLOURS: Readonly<
  Record<"send" | "writev" | "sendmmsg" | "limit", readonly [light: string, dark: string]>
> = {
  send: ["#0b62a8", "#5eb3f6"],
  writev: ["#8a6d00", "#dfc04a"],
  sendmmsg: ["#b3450d", "#f39a5f"],
  limit: ["#5a5f66", "#b6bcc4"],
};
