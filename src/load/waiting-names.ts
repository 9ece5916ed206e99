import type { PortNames } from "../flow/ports.ts";

/**
 * Port names for flows that wait before they are sent, while ports come and go. It remembers which
 * names were looked up, and tells whether one now means another port.
 */
export class WaitingNames implements PortNames {
  /** How often a name was looked up. */
  lookups = 0;
  readonly #read: () => PortNames;
  readonly #used = new Map<string, number>();
  #names: PortNames | undefined;

  /** @param read returns the current names */
  constructor(read: () => PortNames) {
    this.#read = read;
  }

  numberOf(name: string): number | undefined {
    this.lookups++;
    // The port may have been added since the names were read.
    const number = this.#names?.numberOf(name) ?? this.#readNow().numberOf(name);
    if (number !== undefined) this.#used.set(name, number);
    return number;
  }

  nameOf(number: number): string | undefined {
    return (this.#names ?? this.#readNow()).nameOf(number);
  }

  /**
   * Reads the names again.
   * @returns whether a name that was looked up now means another port, or none; then all look-ups
   * are forgotten
   */
  haveMoved(): boolean {
    const names = this.#readNow();
    for (const [name, number] of this.#used) {
      if (names.numberOf(name) === number) continue;
      this.#used.clear();
      return true;
    }
    return false;
  }

  #readNow(): PortNames {
    return (this.#names = this.#read());
  }
}
