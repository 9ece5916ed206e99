import { type NumberedPort, type PortNames, portNamesOf } from "../flow/ports.ts";

/** How old the names of ports are at most when a piece of an input comes. */
const NAMES_AGE_MS = 1000;

/** Names of ports for an input that may last for days: ports are renumbered meanwhile. */
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

  /** A piece of the input came: a name in it that is old is read again. */
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
