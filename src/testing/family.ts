import { ALL_FEATURES, type KernelFeatures } from "../flow/rules/features.ts";
import { NLM_F_MULTI } from "../uapi/netlink.ts";
import { doneMessage, type Request } from "./wire.ts";

/** What User Mode Linux 6.1 takes in flows. */
export const UML_FEATURES: KernelFeatures = {
  ...ALL_FEATURES,
  actionMax: 23,
  psample: false,
  hashSymL4: false,
  ctZones: false,
};

/** What a dump gives, one message after the other; undefined at the end, or an errno. */
export type Walk = {
  readonly take: () => Uint8Array | undefined | number;
  /** Goes on so many objects further, or back; absent where nothing moves. */
  readonly move?: (by: number) => void;
};

/** A generic netlink family of a kernel in memory. */
export type Family = {
  readonly name: string;
  readonly version: number;
  /** Bytes of its own header behind the generic one. */
  readonly headerBytes: number;
  readonly attributeMax: number;
  readonly groups: readonly string[];
  /** Carries out a request. @param reply sends a message to who asked @returns an errno, or 0 */
  readonly run: (request: Request, reply: (message: Uint8Array) => void) => number;
  /** Begins a dump; absent where it knows none, undefined where the command knows none. */
  readonly dump?: (request: Request) => Walk | undefined;
};

/** Bytes of a dump's first piece, before the socket was read with a longer buffer (NLMSG_GOODSIZE). */
const PIECE_LEAST = 3776;
const PIECE_MOST = 32 << 10;

/** A dump in pieces: each is as long as its reader has room for, and the end is a piece of its own. */
export class Dump {
  readonly #request: Request;
  readonly #walk: Walk;
  /** Does not fit the piece before. */
  #kept: Uint8Array | undefined;
  #errno = 0;
  #state: "going" | "ending" | "ended" = "going";

  constructor(request: Request, walk: Walk) {
    this.#request = request;
    this.#walk = walk;
  }

  /** Its last piece was given. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  /** See `betweenPieces` of the faults. */
  move(by: number): void {
    this.#walk.move?.(by);
  }

  next(room: number): Uint8Array | undefined {
    if (this.#state === "ended") return undefined;
    const most = Math.min(PIECE_MOST, Math.max(PIECE_LEAST, room));
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (this.#state === "going") {
      const message = this.#kept ?? this.#walk.take();
      this.#kept = undefined;
      if (message === undefined || typeof message === "number") {
        this.#errno = message ?? 0;
        this.#state = "ending";
      } else if (parts.length > 0 && bytes + message.length > most) {
        this.#kept = message;
        break;
      } else {
        parts.push(message);
        bytes += message.length;
      }
    }
    if (parts.length > 0) return concatenated(parts, bytes);
    this.#state = "ended";
    return doneMessage(this.#request, this.#errno, NLM_F_MULTI);
  }
}

function concatenated(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.length;
  }
  return all;
}

/** The first number that the kernel gives a family, behind those that are fixed (GENL_START_ALLOC). */
const FIRST_ID = 0x13;

/** The families of a kernel, by name and by number. Loading their module anew gives them other numbers. */
export class Families {
  readonly #families: Family[] = [];
  readonly #ids = new Map<string, number>();
  readonly #groups = new Map<string, number>();
  #next: number;

  constructor(seed: number) {
    this.#next = FIRST_ID + (Math.abs(seed) % 13);
  }

  /** @param id where it is fixed */
  add(family: Family, id?: number): void {
    this.#families.push(family);
    this.#number(family, id);
  }

  #number(family: Family, id: number | undefined): void {
    this.#ids.set(family.name, id ?? this.#next++);
    for (const group of family.groups) this.#groups.set(group, this.#next + this.#groups.size);
  }

  /** Gives every family but the controller another number. */
  renumber(): void {
    for (const family of this.#families)
      if (family.groups.length > 0 || family.headerBytes > 0) this.#number(family, undefined);
  }

  byId(id: number): Family | undefined {
    return this.#families.find(({ name }) => this.#ids.get(name) === id);
  }

  byName(name: string): Family | undefined {
    return this.#families.find((family) => family.name === name);
  }

  idOf(name: string): number {
    return this.#ids.get(name) ?? 0;
  }

  groupOf(name: string): number {
    return this.#groups.get(name) ?? 0;
  }
}
