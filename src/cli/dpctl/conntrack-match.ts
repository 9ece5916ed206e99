import { usage } from "../../ovs/check.ts";
import { parseKeyAttribute } from "../../flow/key/parse.ts";
import { KeyRecord, keyOffset } from "../../flow/key/record.ts";
import { Cursor } from "../../flow/text/cursor.ts";
import { FlowSyntaxError } from "../../flow/text/syntax-error.ts";
import {
  AF_INET,
  AF_INET6,
  type Connection,
  type ConnectionTuple,
} from "../../conntrack/connection.ts";

// Selects the connections of `dpctl flush-conntrack`.

const ICMP = new Set([1, 58]);

/** The conditions on one direction; undefined if anything will do. */
type TupleMatch = {
  source?: Uint8Array;
  destination?: Uint8Array;
  sourcePort?: number;
  destinationPort?: number;
  icmpId?: number;
  icmpType?: number;
  icmpCode?: number;
};

/**
 * The condition of a flush-conntrack: `[zone=N] [mark=X[/M]] [labels=Y[/N]] [TUPLE [TUPLE]]`, the
 * tuples of the original direction and of the reply, `ct_nw_src=…,ct_nw_proto=…,ct_tp_src=…`.
 */
export class ConnectionMatch {
  zone: number | undefined;
  #family = 0;
  #protocol = 0;
  readonly #original: TupleMatch;
  readonly #reply: TupleMatch;
  #mark: readonly [bigint, bigint] | undefined;
  #labels: readonly [bigint, bigint] | undefined;

  /** @throws MillraceError `USAGE` with ovs-dpctl's message */
  constructor(args: readonly string[]) {
    const left = [...args];
    while (this.#takeWord(left[0] ?? "")) left.shift();
    this.#original = this.#tuple(left.shift() ?? "");
    this.#reply = this.#tuple(left.shift() ?? "");
    if (left.length > 0) throw usage("invalid arguments");
  }

  /** Whether all connections match, or all of the zone. */
  get isAny(): boolean {
    const words = [this.#mark, this.#labels].every((word) => word === undefined);
    return (
      words &&
      [this.#original, this.#reply].every((tuple) => Object.keys(tuple).length === 0) &&
      this.#protocol === 0
    );
  }

  matches({ original, reply, zone, mark, labels }: Connection): boolean {
    if (this.zone !== undefined && this.zone !== zone) return false;
    if (this.#family !== 0 && original.family !== this.#family) return false;
    if (this.#protocol !== 0 && original.protocol !== this.#protocol) return false;
    if (!masked(this.#mark, BigInt(mark)) || !masked(this.#labels, labelsValue(labels)))
      return false;
    return tupleMatches(this.#original, original) && tupleMatches(this.#reply, reply);
  }

  #takeWord(arg: string): boolean {
    const [, key = "", value = "", mask] =
      /^(zone|mark|labels)=([^/]*)(?:\/(.*))?$/.exec(arg) ?? [];
    if (key === "") return false;
    if (key === "zone") {
      if (!/^\d+$/.test(value) || Number(value) > 0xffff) throw usage("failed to parse zone");
      this.zone = Number(value);
      return true;
    }
    const wanted = [
      integerOf(value, key),
      mask === undefined ? -1n : integerOf(mask, key),
    ] as const;
    if (key === "mark") this.#mark = wanted;
    else this.#labels = wanted;
    return true;
  }

  #tuple(text: string): TupleMatch {
    const found: TupleMatch = {};
    for (const part of text.split(",").filter((word) => word !== "")) {
      const [, key = "", value = ""] = /^([^=]*)=?(.*)$/.exec(part) ?? [];
      if (value === "") throw usage(`field ${key} missing value`);
      this.#field(found, key, value);
    }
    const ports = (found.sourcePort ?? 0) + (found.destinationPort ?? 0);
    if (ports > 0 && this.#protocol === 0) throw usage("port is set without protocol");
    return found;
  }

  #field(found: TupleMatch, key: string, value: string): void {
    const [, side] = /^ct_(?:nw|ipv6)_(src|dst)$/.exec(key) ?? [];
    if (side !== undefined) {
      const family = key.startsWith("ct_nw") ? AF_INET : AF_INET6;
      if (this.#family !== 0 && this.#family !== family) {
        throw usage(`the L3 protocol does not match ${value}`);
      }
      this.#family = family;
      const name = side === "src" ? "source" : "destination";
      if (found[name] !== undefined) throw usage(`${key} is set multiple times`);
      found[name] = addressOf(key, value, family);
    } else if (key === "ct_nw_proto") this.#protocol = numberOf(key, value, 0xff);
    else if (key === "ct_tp_src") found.sourcePort = numberOf(key, value, 0xffff);
    else if (key === "ct_tp_dst") found.destinationPort = numberOf(key, value, 0xffff);
    else if (/^icmp_(type|code|id)$/.test(key)) {
      if (!ICMP.has(this.#protocol)) throw usage("invalid L4 fields");
      if (key === "icmp_type") found.icmpType = numberOf(key, value, 0xff);
      else if (key === "icmp_code") found.icmpCode = numberOf(key, value, 0xff);
      else found.icmpId = numberOf(key, value, 0xffff);
    } else throw usage(`invalid conntrack tuple field: ${key}`);
  }
}

function numberOf(key: string, value: string, max: number): number {
  const number = Number(value);
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(value) || number > max) {
    throw usage(`failed to parse field ${key}`);
  }
  return number;
}

function integerOf(value: string, key: string): bigint {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(value)) throw usage(`failed to parse ${key}`);
  return BigInt(value);
}

// Reads an address by means of the flow language.
function addressOf(key: string, value: string, family: number): Uint8Array {
  const text = new TextEncoder().encode(`${family === AF_INET ? "ipv4" : "ipv6"}(src=${value})`);
  const record = new KeyRecord();
  try {
    const slot = parseKeyAttribute(new Cursor().reset(text, 0, text.length, 1), record);
    const at = keyOffset(0, slot);
    return record.bytes.slice(at, at + (family === AF_INET ? 4 : 16));
  } catch (error) {
    if (error instanceof FlowSyntaxError) throw usage(`failed to parse field ${key}`);
    throw error;
  }
}

function tupleMatches(wanted: TupleMatch, tuple: ConnectionTuple): boolean {
  const { icmp } = tuple;
  return (
    sameBytes(wanted.source, tuple.source) &&
    sameBytes(wanted.destination, tuple.destination) &&
    same(wanted.sourcePort, tuple.sourcePort) &&
    same(wanted.destinationPort, tuple.destinationPort) &&
    same(wanted.icmpId, icmp?.id) &&
    same(wanted.icmpType, icmp?.type) &&
    same(wanted.icmpCode, icmp?.code)
  );
}

function same(wanted: number | undefined, value: number | undefined): boolean {
  return wanted === undefined || wanted === value;
}

function sameBytes(wanted: Uint8Array | undefined, value: Uint8Array): boolean {
  return wanted === undefined || Buffer.compare(wanted, value) === 0;
}

function masked(wanted: readonly [bigint, bigint] | undefined, value: bigint): boolean {
  return wanted === undefined || ((wanted[0] ^ value) & wanted[1]) === 0n;
}

function labelsValue(labels: Uint8Array | undefined): bigint {
  return labels === undefined ? 0n : BigInt(`0x${labels.toReversed().toHex()}`);
}
