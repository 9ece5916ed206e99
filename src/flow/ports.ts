import type { TextSink } from "./text/sink.ts";

/**
 * The names of a datapath's ports, where a datapath is at hand: `in_port(eth0)` instead of `in_port(1)`.
 * Without it only numbers are read and printed.
 */
export type PortNames = {
  /** The port number of a name, or undefined where there is no such port. */
  numberOf(name: string): number | undefined;
  /** The name of a port number, or undefined where there is no such port. */
  nameOf(number: number): string | undefined;
};

/**
 * Prints a port, in a key or an action: its name where that reads back as this port in text and in JSON,
 * else its number. Linux lets a port be called `7`, `a)b` or `a#b`.
 */
export function printPort(number: number, out: TextSink, ports: PortNames | undefined): void {
  const name = ports?.nameOf(number);
  if (name !== undefined && READABLE.test(name)) out.unicode(name);
  else out.dec(number);
}

/**
 * A name that cannot be taken for a number, for a mask or for flags, has nothing in it that ends a name,
 * a flow or a line, and came whole out of the kernel's bytes.
 */
const READABLE = /^[^\s\p{Cc}0-9,(){}#=:/\ufffd+-][^\s\p{Cc},(){}#=:/\ufffd]*$/u;

/** A port by name and number. */
export type NumberedPort = { readonly name: string; readonly number: number };

/** The names of some ports. */
export function portNamesOf(ports: readonly NumberedPort[]): PortNames {
  const numbers = new Map(ports.map(({ name, number }) => [name, number]));
  const names = new Map(ports.map(({ name, number }) => [number, name]));
  return { numberOf: (name) => numbers.get(name), nameOf: (number) => names.get(number) };
}
