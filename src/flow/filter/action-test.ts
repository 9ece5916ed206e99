import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { OVS_ACTION_ATTR_DROP, OVS_ACTION_ATTR_OUTPUT } from "../../uapi/openvswitch.ts";
import { attributeLength, attributeType, nextAttribute } from "../action/attributes.ts";
import { ACTION_OF_TYPE, ACTIONS, type ActionSpec } from "../action/table.ts";
import { u32At } from "../bytes.ts";
import type { Test } from "./subject.ts";

/** The depth to which nested lists are searched, more than a kernel takes. */
const DEPTH_MAX = 32;

/** What to look for in a list of actions. */
type Wanted = {
  /** Whether an attribute of this type, with its payload at `at`, is the one looked for. */
  readonly isIt: (type: number, bytes: Uint8Array, at: number) => boolean;
  /** Whether an empty list is looked for. */
  readonly isEmpty: boolean;
};

/** The names of actions, in the order of their table. */
export const ACTION_NAMES: readonly string[] = [...new Set(ACTIONS.map(({ name }) => name))];

/** `actions has NAME`: a flow has an action of that name, possibly nested in another. */
export function hasAction(name: string): Test {
  // A name may stand for two types: set() is SET and SET_MASKED.
  const types = new Set(ACTIONS.filter((action) => action.name === name).map(({ type }) => type));
  const isEmpty = types.has(OVS_ACTION_ATTR_DROP);
  return has({ isIt: (type) => types.has(type), isEmpty });
}

/** `output = PORT`: one of a flow's actions, possibly nested, sends to that port. */
export function hasOutput(port: number): Test {
  return has({
    isIt: (type, bytes, at) => type === OVS_ACTION_ATTR_OUTPUT && u32At(bytes, at) === port,
    isEmpty: false,
  });
}

/**
 * What an action contains, by its type: no list, a list as its payload, or a bit for each attribute
 * that is a list.
 */
const NO_LISTS = 0;
const IS_LIST = -1;
const LISTS: readonly number[] = Array.from(ACTION_OF_TYPE, (spec) => listsOf(spec?.form));

function listsOf(form: ActionSpec["form"] | undefined): number {
  if (form?.kind === "actions") return IS_LIST;
  if (form?.kind !== "nest") return NO_LISTS;
  const lists = form.members.members.filter(({ kind }) => kind === "actions");
  return lists.reduce((bits, { attribute }) => bits | (1 << attribute), 0);
}

function has(wanted: Wanted): Test {
  return ({ parts: { bytes, actions } }) =>
    actions.start >= 0 && isInList(wanted, bytes, actions.start, actions.end, 0);
}

function isInList(
  wanted: Wanted,
  bytes: Uint8Array,
  start: number,
  end: number,
  depth: number,
): boolean {
  if (start >= end) return wanted.isEmpty;
  for (let at = start, length = attributeLength(bytes, at, end); length > 0;) {
    const type = attributeType(bytes, at);
    const payload = at + NLA_HEADER;
    if (wanted.isIt(type, bytes, payload)) return true;
    if (isInAction(wanted, bytes, type, payload, at + length, depth + 1)) return true;
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  return false;
}

// Searches the lists inside an action.
function isInAction(
  wanted: Wanted,
  bytes: Uint8Array,
  type: number,
  start: number,
  end: number,
  depth: number,
): boolean {
  const lists = LISTS[type] ?? NO_LISTS;
  if (lists === NO_LISTS || depth > DEPTH_MAX) return false;
  if (lists === IS_LIST) return isInList(wanted, bytes, start, end, depth);
  for (let at = start, length = attributeLength(bytes, at, end); length > 0;) {
    const attribute = attributeType(bytes, at);
    const isList = (lists & (1 << attribute)) !== 0;
    if (isList && isInList(wanted, bytes, at + NLA_HEADER, at + length, depth)) return true;
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  return false;
}
