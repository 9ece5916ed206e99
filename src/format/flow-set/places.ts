import { attributeLength, attributeType, nextAttribute } from "../../flow/action/attributes.ts";
import type { Members } from "../../flow/action/member.ts";
import { ACTION_OF_TYPE } from "../../flow/action/table.ts";
import { u16At } from "../../flow/bytes.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { OVS_KEY_ATTR_ENCAP, OVS_KEY_ATTR_IN_PORT } from "../../uapi/openvswitch.ts";
import type { FlowSetChunkFacts } from "./layout.ts";
import { actionsAt, hasOwnUfid, KEY_AT } from "./messages.ts";
import { decodeMatch } from "./ports.ts";

/**
 * The deepest nest that is searched: as deep as text (NESTING_MAX of its Cursor), deeper than a
 * kernel's 16.
 */
const DEPTH_MAX = 32;

const PORT_SIZE = 4;

/**
 * Whether every place that a chunk lists for a port number is one: the value of an in_port, or a
 * port in an action. A number written anywhere else would change the meaning of a flow, or corrupt
 * its attributes. Places must ascend, and each must name a port of the chunk.
 * @param words holds the chunk's messages from `start` to `end`, checked by `countMessages`
 */
export function placesArePorts(
  words: Int32Array,
  start: number,
  end: number,
  facts: FlowSetChunkFacts,
): boolean {
  const { names = [], ports = [] } = facts;
  for (let i = 1; i < ports.length; i += 2) if ((ports[i] ?? 0) >= names.length) return false;
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const places = new PlaceList(ports, start);
  let at = start;
  for (let next = start; next < end && !places.done; at = next) {
    next += (words[at] ?? 0) >> 2;
    if (!places.isBelow(next)) continue;
    const key = (at + KEY_AT) * 4;
    const before = places.taken;
    walkKey(bytes, key, key + u16At(bytes, key), places, PORT_SIZE, 0);
    // The UFID will be computed with the number, so the key must be readable.
    if (places.taken > before && !hasOwnUfid(words, at) && !decodeMatch(words, at)) return false;
    const actions = actionsAt(words, at);
    if (actions >= 0) walkList(bytes, actions * 4, places);
    if (places.isBelow(next)) return false;
  }
  return places.done;
}

/** Receives each place of a port number: the offset of its first byte. */
type PortPlaces = { offer(offset: number): void };

/**
 * Walks the places of port numbers in a message: the values of its in_ports, and the ports in its
 * actions.
 * @param at the first word of the message
 */
export function walkPorts(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  into: PortPlaces,
): void {
  const key = (at + KEY_AT) * 4;
  walkKey(bytes, key, key + u16At(bytes, key), into, PORT_SIZE, 0);
  const actions = actionsAt(words, at);
  if (actions >= 0) walkList(bytes, actions * 4, into);
}

/** The places that a chunk lists, removed one by one. */
class PlaceList implements PortPlaces {
  readonly #places: readonly number[];
  readonly #first: number;
  #next = 0;

  constructor(places: readonly number[], first: number) {
    this.#places = places;
    this.#first = first;
  }

  get taken(): number {
    return this.#next;
  }

  get done(): boolean {
    return this.#next >= this.#places.length;
  }

  /** Whether the next place is before word `end`. */
  isBelow(end: number): boolean {
    return !this.done && this.#first + (this.#places[this.#next] ?? 0) < end;
  }

  /** Says that a port number is at byte `offset`: if it is the next place, it is removed. */
  offer(offset: number): void {
    if ((this.#first + (this.#places[this.#next] ?? 0)) * 4 === offset) this.#next += 2;
  }
}

/**
 * Walks the in_port of the nest at `at`, and of the nests inside it.
 * @param size the bytes of its value
 */
function walkKey(
  bytes: Uint8Array,
  at: number,
  end: number,
  places: PortPlaces,
  size: number,
  depth: number,
): void {
  if (depth > DEPTH_MAX) return;
  let from = at + NLA_HEADER;
  for (let length = attributeLength(bytes, from, end); length > 0;) {
    const type = attributeType(bytes, from);
    if (type === OVS_KEY_ATTR_ENCAP) {
      walkKey(bytes, from, from + length, places, size, depth + 1);
    } else if (type === OVS_KEY_ATTR_IN_PORT && length === NLA_HEADER + size) {
      places.offer(from + NLA_HEADER);
    }
    from = nextAttribute(from, length, end);
    length = attributeLength(bytes, from, end);
  }
}

/** Walks the ports in the list of actions that the attribute at `at` holds. */
function walkList(bytes: Uint8Array, at: number, places: PortPlaces, depth = 0): void {
  if (depth > DEPTH_MAX) return;
  const end = at + attributeLength(bytes, at, bytes.length);
  let from = at + NLA_HEADER;
  for (let length = attributeLength(bytes, from, end); length > 0;) {
    walkAction(bytes, from, length, places, depth);
    from = nextAttribute(from, length, end);
    length = attributeLength(bytes, from, end);
  }
}

function walkAction(
  bytes: Uint8Array,
  at: number,
  length: number,
  places: PortPlaces,
  depth: number,
): void {
  const form = ACTION_OF_TYPE[attributeType(bytes, at)]?.form;
  switch (form?.kind) {
    case "output":
      if (length === NLA_HEADER + PORT_SIZE) places.offer(at + NLA_HEADER);
      break;
    case "actions":
      walkList(bytes, at, places, depth + 1);
      break;
    case "nest":
      walkMembers(bytes, at, length, form.members, places, depth);
      break;
    case "set":
      walkSet(bytes, at, length, places);
      break;
    default:
  }
}

function walkMembers(
  bytes: Uint8Array,
  at: number,
  length: number,
  { members }: Members,
  places: PortPlaces,
  depth: number,
): void {
  const end = at + length;
  let from = at + NLA_HEADER;
  for (let size = attributeLength(bytes, from, end); size > 0;) {
    const type = attributeType(bytes, from);
    const payload = from + NLA_HEADER;
    for (const member of members) {
      if (member.attribute !== type) continue;
      if (member.kind === "actions") walkList(bytes, from, places, depth + 1);
      if (member.kind === "port" && size === NLA_HEADER + PORT_SIZE) places.offer(payload);
      const { cookie } = member;
      if (cookie === undefined || size < NLA_HEADER + PORT_SIZE) continue;
      if (u16At(bytes, payload) !== cookie.type) continue;
      for (const field of cookie.fields?.fields ?? []) {
        const within = NLA_HEADER + field.offset + PORT_SIZE <= size;
        if (field.kind === "port" && within) places.offer(payload + field.offset);
      }
    }
    from = nextAttribute(from, size, end);
    size = attributeLength(bytes, from, end);
  }
}

/** Walks a set(): SET holds a value, SET_MASKED a value and its mask. */
function walkSet(bytes: Uint8Array, at: number, length: number, places: PortPlaces): void {
  const inner = attributeLength(bytes, at + NLA_HEADER, at + length);
  for (const size of [PORT_SIZE, PORT_SIZE * 2]) {
    if (inner === NLA_HEADER + size) walkKey(bytes, at, at + length, places, size, 0);
  }
}
