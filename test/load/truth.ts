import { Flow } from "../../src/flow/flow.ts";

/**
 * Random flows that nest, collide and contradict one another, and a model of the datapath that says
 * what each line must do.
 */

/** Numbers that look random, the same for each seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  of<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }
}

/** What a flow matches: two addresses and the bits of them that count. */
export type Match = {
  readonly src: number;
  readonly srcBits: number;
  readonly dst: number;
  readonly dstBits: number;
};
export type Verb = "put" | "add" | "modify" | "delete";
export type Line = {
  readonly verb: Verb;
  readonly match: Match;
  /** Undefined: the hash of the match, or the key where lines have no UFID. */
  readonly given: string | undefined;
  readonly actions: string;
};
/** A flow of the model; without a UFID its key names it. */
type Held = { readonly match: Match; readonly ufid: string | undefined; actions: string };

export function maskOf(bits: number): number {
  return bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
}

export function dotted(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

export function keyText({ src, srcBits, dst, dstBits }: Match): string {
  const field = (name: string, value: number, bits: number): string =>
    bits === 0 ? "" : `${name}=${dotted(value)}/${dotted(maskOf(bits))},`;
  return `in_port(1),eth(),eth_type(0x0800),ipv4(${field("src", src, srcBits)}${field("dst", dst, dstBits)}frag=no)`;
}

/** One string for each match. */
function idOf({ src, srcBits, dst, dstBits }: Match): string {
  const masked = (value: number, bits: number): string =>
    `${dotted((value & maskOf(bits)) >>> 0)}/${dotted(maskOf(bits))}`;
  return `${masked(src, srcBits)} ${masked(dst, dstBits)}`;
}

const hashes = new Map<string, string>();

export function hashOf(match: Match): string {
  const id = idOf(match);
  let hash = hashes.get(id);
  if (hash === undefined) hashes.set(id, (hash = Flow.parse(`${keyText(match)} 1`).ufid ?? ""));
  return hash;
}

/** The kernel as `ovs_flow_cmd_new` and its neighbours have it, and what a line is to mean there. */
export class Model {
  readonly flows: Held[] = [];

  /** @returns whether the line is carried out */
  apply(line: Line, useUfid: boolean): boolean {
    const { verb, match, actions } = line;
    // Whoever gives a flow its own hash gives it nothing: dumps have it.
    const given = line.given === hashOf(match) ? undefined : line.given;
    const id = idOf(match);
    const held = this.flows.find((flow) => idOf(flow.match) === id);
    const isNamed =
      held !== undefined &&
      (given === undefined
        ? held.ufid === undefined || held.ufid === hashOf(match)
        : held.ufid === given);
    if (verb === "modify" || (verb === "put" && held !== undefined)) {
      if (isNamed) held.actions = actions;
      return isNamed;
    }
    if (verb === "delete") {
      if (isNamed) this.flows.splice(this.flows.indexOf(held), 1);
      return isNamed;
    }
    const ufid = line.given ?? (useUfid ? hashOf(match) : undefined);
    const isTaken = ufid !== undefined && this.flows.some((flow) => flow.ufid === ufid);
    if (isTaken || this.flows.some((flow) => meets(match, flow.match))) return false;
    this.flows.push({ match, ufid, actions });
    return true;
  }

  lines(): string[] {
    return this.flows
      .map((flow) => `${flow.ufid ?? "key"} ${idOf(flow.match)} ${flow.actions}`)
      .sort();
  }
}

/** A packet with the masked key of `match`, zero in all else, is one of `held`. */
export function meets(match: Match, held: Match): boolean {
  const agree = (own: number, ownBits: number, other: number, bits: number): boolean =>
    (((own & maskOf(ownBits)) ^ other) & maskOf(bits)) === 0;
  return (
    agree(match.src, match.srcBits, held.src, held.srcBits) &&
    agree(match.dst, match.dstBits, held.dst, held.dstBits)
  );
}

/** A verbose dump in the form of {@link Model.lines}. */
export function linesOfDump(dump: string): string[] {
  const found: string[] = [];
  for (const line of dump.trim().split("\n")) {
    if (line === "") continue;
    const field = (name: string): string => {
      const text = new RegExp(`ipv4\\(.*?\\b${name}=([0-9./]+)`).exec(line)?.[1] ?? "";
      const [value = "", mask = "255.255.255.255"] = text.split("/");
      return `${value}/${mask}`;
    };
    const ufid = /^ufid:([0-9a-f-]+)/.exec(line)?.[1] ?? "key";
    const actions = /actions:(.*)$/.exec(line)?.[1] ?? "";
    found.push(`${ufid} ${field("src")} ${field("dst")} ${actions}`);
  }
  return found.sort();
}

const GIVEN = Array.from({ length: 4 }, (_, i) => `0000000${i}-1111-2222-3333-444444444444`);

export function randomMatch(random: Random): Match {
  const bits = (): number => random.of([0, 8, 9, 12, 16, 24, 31, 32]);
  const address = (): number =>
    ((random.of([10, 0, 192]) << 24) |
      (random.of([0, 0, 1, 128]) << 16) |
      (random.of([0, 0, 3]) << 8) |
      random.of([0, 1])) >>>
    0;
  const masked = (value: number, count: number): number => (value & maskOf(count)) >>> 0;
  const [srcBits, dstBits] = random.below(2) === 0 ? [bits(), 0] : [bits(), bits()];
  return { src: masked(address(), srcBits), srcBits, dst: masked(address(), dstBits), dstBits };
}

export function randomLine(random: Random, matches: readonly Match[]): Line {
  const match = matches[random.below(matches.length)] ?? randomMatch(random);
  const other = matches[random.below(matches.length)] ?? match;
  const which = random.below(8);
  // Somebody may give the hash of another flow: a dump whose key was edited has it.
  const given =
    which === 0 ? GIVEN[random.below(GIVEN.length)] : which === 1 ? hashOf(other) : undefined;
  const verb = random.of<Verb>(["put", "put", "put", "put", "add", "modify", "delete"]);
  return { verb, match, given, actions: String(1 + random.below(3)) };
}

/** A line of text that says its verb, but for `put`, which is the mode of the load. */
export function textOf({ verb, match, given, actions }: Line): string {
  const name = given === undefined ? "" : `ufid:${given} `;
  return `${verb === "put" ? "" : `${verb} `}${name}${keyText(match)} ${actions}`;
}
