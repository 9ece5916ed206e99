import { assert } from "../../sys/errors.ts";
import type { Field } from "../text/field.ts";
import { HEADER_KEYS } from "./header-keys.ts";
import { HEADER_WORD, METADATA_WORD, SLOT_WORDS, SLOTS, slotAt, slotBit } from "./levels.ts";
import { METADATA_KEYS } from "./metadata-keys.ts";
import type { KeyRow, KeySpec } from "./spec.ts";

export type { KeySpec } from "./spec.ts";

/**
 * Every attribute of a key, in the order in which the kernel dumps them (`__ovs_nla_put_key` in
 * net/openvswitch/flow_netlink.c). They are written in the same order. Parse, print, encode,
 * decode, JSON, the rules and the reference follow from it.
 */
export const KEYS: readonly KeySpec[] = [
  ...METADATA_KEYS.map((row, index) => specOf(row, slotAt(METADATA_WORD, index))),
  ...HEADER_KEYS.map((row, index) => specOf(row, slotAt(HEADER_WORD, index))),
];

// Gives all rows the same members in the same order, which keeps code fast that reads many of them.
function specOf(row: KeyRow, slot: number): KeySpec {
  const { fields = [], required = false, presence = false, shown = true } = row;
  return {
    slot,
    name: row.name,
    type: row.type,
    size: row.size,
    layer: row.layer,
    fields,
    form: row.form ?? (fields[0]?.name === "" ? "single" : "struct"),
    nested: row.nested ?? false,
    where: row.where ?? "kernel",
    asksFor: row.asksFor,
    required,
    guarded: row.guarded ?? false,
    allOrNothing: row.allOrNothing ?? false,
    presence,
    settable: row.settable ?? false,
    patchable: row.patchable ?? true,
    unruled: row.unruled ?? [],
    shown,
    // OVS prints attributes that it has no name for, wildcarded or not.
    keep: required || presence || !shown,
    feature: row.feature,
    probe: row.probe,
    since: row.since ?? "3.3",
    about: row.about,
    example: row.example,
  };
}

/** KEYS by slot; undefined for a slot without a key. */
export const KEY_BY_SLOT: readonly (KeySpec | undefined)[] = Array.from(
  { length: SLOTS },
  (_, slot) => KEYS.find((key) => key.slot === slot),
);

/** The size of tables by attribute type. */
export const TYPES = 64;

/** The slot of each attribute type that KEYS has; -1 for the others. */
export const SLOT_OF_TYPE: Int8Array = slotsByType();

function slotsByType(): Int8Array {
  const slots = new Int8Array(TYPES).fill(-1);
  for (const key of KEYS) {
    assert(key.type < TYPES, "tables by type have no place for another key");
    slots[key.type] = key.slot;
  }
  return slots;
}

/** The attribute type of each slot. */
export const TYPE_OF_SLOT: Int32Array = Int32Array.from(KEY_BY_SLOT, (key) => key?.type ?? 0);

/** Bytes of each slot's payload. */
export const SIZE_OF_SLOT: Int32Array = Int32Array.from(KEY_BY_SLOT, (key) => key?.size ?? 0);

/** The newest attribute of a kernel: each new attribute got a greater type than all before it. */
export const NEWEST_KEY: number = Math.max(...kernelKeys().map(({ type }) => type));

/** The keys that a kernel has. */
export function kernelKeys(): readonly KeySpec[] {
  return KEYS.filter(({ where }) => where === "kernel");
}

/** The row of a key. */
export function keyNamed(name: string): KeySpec {
  const found = KEYS.find((key) => key.name === name);
  assert(found !== undefined, `no key is called ${name}`);
  return found;
}

/** A field of a key. */
export function fieldNamed(key: string, name: string): Field {
  const found = keyNamed(key).fields.find((field) => field.name === name);
  assert(found !== undefined, `${key}() has no field ${name}`);
  return found;
}

/** The bits of the keys for which `holds` is true, in SLOT_WORDS words. */
export function slotWords(holds: (key: KeySpec) => boolean): Int32Array {
  const words = new Int32Array(SLOT_WORDS);
  for (const key of KEYS.filter(holds)) words[key.slot >>> 5]! |= slotBit(key.slot);
  return words;
}
