import { LEVELS } from "../../flow/key/levels.ts";
import { parseKeyAttribute } from "../../flow/key/parse.ts";
import { KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "../../flow/key/record.ts";
import { SLOT_ETHERTYPE, SLOT_VLAN } from "../../flow/key/slots.ts";
import type { PortNames } from "../../flow/ports.ts";
import { Cursor } from "../../flow/text/cursor.ts";
import { FlowSyntaxError } from "../../flow/text/syntax-error.ts";
import { usage } from "../../ovs/check.ts";
import { ALIASES, FIELDS, PROTOCOLS } from "../../flow/text/openflow.ts";
import { PREREQUISITES, VALUES } from "./filter-fields.ts";

/** One field of a filter: its value in each of the attributes that may hold it. */
type Condition = readonly { readonly slot: number; readonly record: KeyRecord }[];

/**
 * A filter of dump-flows: `tcp,nw_src=10.0.0.1,in_port=2`, each field with one value. As in
 * ovs-dpctl, a flow passes if every field has the filter's value in the bits that the flow matches,
 * so a flow that does not match a field passes.
 */
export class FlowFilter {
  readonly #conditions: Condition[] = [];
  readonly #seen = new Set<string>();
  #type: number | undefined;
  #protocol: number | undefined;

  /** @throws MillraceError `USAGE` with a description */
  constructor(text: string, ports: PortNames) {
    for (const part of text.split(/[,\s]+/).filter((word) => word !== "")) {
      const [, key = "", value = ""] = /^([^=]*)=?(.*)$/.exec(part) ?? [];
      const protocol = PROTOCOLS[key];
      if (protocol === undefined) this.#addField(ALIASES[key] ?? key, key, value, ports);
      else this.#addProtocol(...protocol);
    }
  }

  /** Whether a flow with the key in `record` passes. */
  passes(record: KeyRecord): boolean {
    return this.#conditions.every((condition) => meets(condition, record));
  }

  #addProtocol(type: number, protocol?: number): void {
    if (this.#type !== undefined) throw usage("Ethernet type set multiple times");
    this.#type = type;
    this.#conditions.push(conditionOf(["eth_type(*)"], `${type}`));
    if (protocol === undefined) return;
    this.#protocol = protocol;
    this.#conditions.push(conditionOf(FIELDS["nw_proto"] ?? [], `${protocol}`));
  }

  #addField(field: string, key: string, value: string, ports: PortNames): void {
    const patterns = FIELDS[field];
    if (patterns === undefined) throw usage(`unknown field ${key}`);
    const [, types = [], protocols = []] = PREREQUISITES.find(([names]) => names.test(field)) ?? [];
    const typeOk = types.length === 0 || (this.#type !== undefined && types.includes(this.#type));
    const protocolOk =
      protocols.length === 0 ||
      (this.#protocol !== undefined && protocols.includes(this.#protocol));
    if (!typeOk || !protocolOk) throw usage(`prerequisites not met for setting ${key}`);
    if (this.#seen.has(field)) throw usage(`field ${key} set multiple times`);
    this.#seen.add(field);
    if (value.includes("/") || (field !== "in_port" && /^[+-]/.test(value))) {
      throw usage(`bad value for ${key} (${value}: wildcards not allowed here)`);
    }
    try {
      this.#conditions.push(conditionOf(patterns, VALUES[field]?.(value) ?? value, ports));
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      throw usage(`bad value for ${key} (${error.reason})`);
    }
    if (field === "dl_type") this.#type = Number(value);
    if (field === "nw_proto") this.#protocol = Number(value);
  }
}

function conditionOf(patterns: readonly string[], value: string, ports?: PortNames): Condition {
  return patterns.map((pattern) => {
    const text = new TextEncoder().encode(pattern.replace("*", () => value));
    const record = new KeyRecord();
    const cursor = new Cursor().reset(text, 0, text.length, 1);
    parseKeyAttribute(cursor, record, ports);
    if (cursor.position < cursor.end) cursor.fail("one value");
    const [slot = 0] = record.order;
    return { slot, record };
  });
}

function meets(condition: Condition, flow: KeyRecord): boolean {
  for (const { slot, record } of condition) {
    // A VLAN tag is the outermost one; all other fields are inside the tags.
    for (let level = slot === SLOT_VLAN ? 0 : LEVELS - 1; level >= 0; level--) {
      if (!flow.has(level, slot)) continue;
      return equalWhereBothLook(flow, level, slot, record);
    }
    // A flow with a type and no tag takes only packets without a tag.
    if (slot === SLOT_VLAN && flow.has(0, SLOT_ETHERTYPE) && !flow.isWild(0, SLOT_ETHERTYPE)) {
      return record.ints[keyOffset(0, SLOT_VLAN) >> 2] === 0;
    }
  }
  return true;
}

function equalWhereBothLook(
  flow: KeyRecord,
  level: number,
  slot: number,
  filter: KeyRecord,
): boolean {
  const words = WORDS_OF_SLOT[slot] ?? 0;
  const key = keyOffset(level, slot) >> 2;
  const mask = maskOffset(level, slot) >> 2;
  const wantedKey = keyOffset(0, slot) >> 2;
  const wantedMask = maskOffset(0, slot) >> 2;
  for (let i = 0; i < words; i++) {
    const looked = (flow.ints[mask + i] ?? 0) & (filter.ints[wantedMask + i] ?? 0);
    const differs = (flow.ints[key + i] ?? 0) ^ (filter.ints[wantedKey + i] ?? 0);
    if ((looked & differs) !== 0) return false;
  }
  return true;
}
