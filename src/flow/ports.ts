import type { TextSink } from "./text/sink.ts";

/**
 * The names of a datapath's ports, which allow `in_port(eth0)` instead of `in_port(1)`. Without
 * them only numbers are read and printed.
 */
export type PortNames = {
  /** The port number of a name, or undefined if there is no such port. */
  numberOf(name: string): number | undefined;
  /** The name of a port number, or undefined if there is no such port. */
  nameOf(number: number): string | undefined;
};

/**
 * Prints a port, in a key or an action: its name if that is valid in text, otherwise its number.
 * Linux lets a port be called `7`, `a)b` or `a#b`.
 */
export function printPort(out: TextSink, number: number, ports: PortNames | undefined): void {
  const name = ports?.nameOf(number);
  if (name !== undefined && isTextName(name)) out.unicode(name);
  else out.dec(number);
}

/**
 * Whether a port's name is valid wherever text or JSON has a port. Not valid are names that look
 * like numbers, that contain a character which ends a name, a flow or a line, or that are not valid
 * UTF-8. Readers look up only valid names, so that text means the same port to writer and reader.
 */
export function isTextName(name: string): boolean {
  return TEXT_NAME.test(name);
}

const TEXT_NAME =
  // oxlint-disable-next-line no-control-regex -- these are what a name must not have
  /^(?![0-9]+$|0[xX][0-9a-fA-F]+$)[^\u0000-\u0020\u007f-\u009f,()#/:\ufffd]+$/;

/** The port number for a name in text; undefined if there is no such port. */
export function numberOfName(name: string, ports: PortNames | undefined): number | undefined {
  return ports !== undefined && isTextName(name) ? ports.numberOf(name) : undefined;
}

/** Accepts any name of a port: for judging flows without a datapath. */
export const ANY_PORTS: PortNames = { numberOf: () => 1, nameOf: () => undefined };

/** A port's name and number. */
export type NumberedPort = { readonly name: string; readonly number: number };

/** The names of some ports. */
export function portNamesOf(ports: readonly NumberedPort[]): PortNames {
  const numbers = new Map(ports.map(({ name, number }) => [name, number]));
  const names = new Map(ports.map(({ name, number }) => [number, name]));
  return { numberOf: (name) => numbers.get(name), nameOf: (number) => names.get(number) };
}

/** The greatest number of a port: below DP_MAX_PORTS in net/openvswitch/datapath.h, and not OVSP_NONE. */
const LAST_PORT = 65_534;

/**
 * Port names for comparing flows of several sets: known ports have their numbers, and each other
 * name gets a number of its own, from the last one down.
 */
export class InventedPorts implements PortNames {
  readonly #numbers = new Map<string, number>();
  readonly #names = new Map<number, string>();
  #last = LAST_PORT;

  /** @param known of two ports with the same name or number, the first one counts */
  constructor(known: readonly NumberedPort[] = []) {
    for (const { name, number } of known) {
      if (this.#numbers.has(name) || this.#names.has(number)) continue;
      this.#numbers.set(name, number);
      this.#names.set(number, name);
    }
  }

  numberOf(name: string): number | undefined {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    while (this.#names.has(this.#last)) this.#last--;
    const number = this.#last;
    if (number < 0) return undefined;
    this.#numbers.set(name, number);
    this.#names.set(number, name);
    return number;
  }

  nameOf(number: number): string | undefined {
    return this.#names.get(number);
  }
}
