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

/** A port by name and number. */
export type NumberedPort = { readonly name: string; readonly number: number };

/** The names of some ports. */
export function portNamesOf(ports: readonly NumberedPort[]): PortNames {
  const numbers = new Map(ports.map(({ name, number }) => [name, number]));
  const names = new Map(ports.map(({ name, number }) => [number, name]));
  return { numberOf: (name) => numbers.get(name), nameOf: (number) => names.get(number) };
}
