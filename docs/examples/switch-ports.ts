/** The flows that join two ports, both ways: a program so small that its tests are the point, see switch-ports.test.ts. */
import type { Datapath } from "millrace";

/**
 * Lets everything that comes in by one port go out by the other one.
 * @returns what could not be put, in words
 */
export function joinPorts(dp: Datapath, one: string, other: string): readonly string[] {
  using batch = dp.batch();
  batch.add(`in_port(${one}),eth() ${other}`);
  batch.add(`in_port(${other}),eth() ${one}`);
  return batch.flush().exceptions.map(({ text, reason }) => `${text}: ${reason}`);
}
