import type { PortNames } from "../flow/ports.ts";

/**
 * The names of a datapath's ports for flows that wait before they are sent, while ports come and go: it
 * knows which names were looked up, and tells where one of them means another port by now.
 */
export class WaitingNames implements PortNames {
  /** How often a name was looked up. */
  lookups = 0;
  readonly #read: () => PortNames;
  readonly #used = new Map<string, number>();
  #names: PortNames | undefined;

  /** @param read gives the names as they are at that time */
  constructor(read: () => PortNames) {
    this.#read = read;
  }

  numberOf(name: string): number | undefined {
    this.lookups++;
    // It may have been added since the names were read.
    const number = this.#names?.numberOf(name) ?? this.#readNow().numberOf(name);
    if (number !== undefined) this.#used.set(name, number);
    return number;
  }

  nameOf(number: number): string | undefined {
    return (this.#names ?? this.#readNow()).nameOf(number);
  }

  /**
   * Reads the names anew.
   * @returns whether one that was looked up means another port than it did, or none; all are forgotten then
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
