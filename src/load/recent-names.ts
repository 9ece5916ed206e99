import { type NumberedPort, type PortNames, portNamesOf } from "../flow/ports.ts";

/** The maximum age of port names when a piece of the input is read. */
const NAMES_AGE_MS = 1000;

/** Names of ports for an input that may last for days, during which ports are renumbered. */
export class RecentNames implements PortNames {
  readonly #read: () => readonly NumberedPort[];
  #names: PortNames;
  #readAt: number;
  #isOld = false;

  constructor(read: () => readonly NumberedPort[]) {
    this.#read = read;
    this.#names = portNamesOf(read());
    this.#readAt = performance.now();
  }

  /**
   * Says that a piece of the input was read: names older than the maximum age are read again on the
   * next look-up.
   */
  age(): void {
    this.#isOld = performance.now() - this.#readAt >= NAMES_AGE_MS;
  }

  numberOf(name: string): number | undefined {
    return this.#current().numberOf(name);
  }

  nameOf(number: number): string | undefined {
    return this.#current().nameOf(number);
  }

  #current(): PortNames {
    if (this.#isOld) {
      this.#names = portNamesOf(this.#read());
      this.#readAt = performance.now();
      this.#isOld = false;
    }
    return this.#names;
  }
}
