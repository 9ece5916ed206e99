import { FIELDS_OF_SLOT, slotOfWord } from "../key/parse.ts";
import { TUNNEL_FIELDS } from "../key/tunnel-fields.ts";
import { FieldSet } from "../text/field-set.ts";
import { SLOT_MPLS, SLOT_TUNNEL, SLOT_VLAN } from "../key/slots.ts";
import { KEY_BY_SLOT } from "../key/table.ts";
import type { Cursor } from "../text/cursor.ts";
import type { Field } from "../text/field.ts";
import { CLOSE, COMMA, EQUALS, OPEN, SLASH } from "../text/ascii.ts";

/** A value in the text of a key: which field it is, and where. */
export type KeyValue = {
  readonly level: number;
  readonly slot: number;
  readonly field: Field;
  /** For an entry of an MPLS stack, its offset in the payload; otherwise 0. */
  readonly offset: number;
  /** Whether other fields share its bytes. */
  readonly shared: boolean;
  readonly start: number;
  readonly end: number;
  /** Whether a mask follows it. */
  readonly masked: boolean;
};

const MPLS_ENTRY = 4;

const TUNNEL: FieldSet = new FieldSet(TUNNEL_FIELDS);

/**
 * Lists the values in the text of a key that may differ between lines of one shape. The key was
 * parsed before, so its grammar is not checked again; the cursor ends after it.
 */
export function findValues(cursor: Cursor, level: number, found: KeyValue[]): void {
  for (;;) {
    cursor.word();
    const slot = slotOfWord(cursor);
    if (!cursor.take(OPEN)) return;
    const spec = KEY_BY_SLOT[slot];
    if (spec?.form === "encap") {
      cursor.skipSeparators();
      if (cursor.peek() !== CLOSE) findValues(cursor, level + 1, found);
      cursor.skipSeparators();
    } else if (!spec?.patchable) {
      skipNested(cursor);
    } else if (spec.form === "single") {
      addValue(cursor, { level, slot, field: spec.fields[0], offset: 0 }, found);
    } else {
      findFields(cursor, level, slot, found);
    }
    if (!cursor.take(CLOSE)) return;
    if (level > 0) cursor.skipSeparators();
    else while (cursor.take(COMMA));
    if (cursor.peek() === CLOSE || cursor.atBlank()) return;
  }
}

/** The fields `name=value` of one attribute, up to its closing parenthesis. */
function findFields(cursor: Cursor, level: number, slot: number, found: KeyValue[]): void {
  const set = slot === SLOT_TUNNEL ? TUNNEL : FIELDS_OF_SLOT[slot];
  let entry = 0;
  let seen = 0;
  while (cursor.peek() !== CLOSE && cursor.position < cursor.end) {
    cursor.word();
    const index = set?.find(cursor) ?? -1;
    if (cursor.take(OPEN)) {
      // Options and flags of a tunnel.
      skipNested(cursor);
      cursor.take(CLOSE);
    } else {
      // A repeated field begins the next entry of an MPLS stack.
      if (slot === SLOT_MPLS && ((seen >>> index) & 1) === 1) {
        seen = 0;
        entry++;
      }
      seen |= 1 << index;
      cursor.take(EQUALS);
      const field = set?.fields[index];
      addValue(cursor, { level, slot, field, offset: entry * MPLS_ENTRY }, found);
    }
    cursor.take(COMMA);
  }
}

type Place = Pick<KeyValue, "level" | "slot" | "offset"> & { readonly field: Field | undefined };

function addValue(cursor: Cursor, { level, slot, field, offset }: Place, found: KeyValue[]): void {
  const start = cursor.position;
  skipTo(cursor, true);
  const end = cursor.position;
  const masked = cursor.peek() === SLASH;
  skipTo(cursor, false);
  if (field === undefined) return;
  const shared = slot === SLOT_VLAN || slot === SLOT_MPLS;
  found.push({ level, slot, field, offset, shared, start, end, masked });
}

function skipTo(cursor: Cursor, stopAtSlash: boolean): void {
  for (; cursor.position < cursor.end; cursor.position++) {
    const byte = cursor.peek();
    if (byte === COMMA || byte === CLOSE || (stopAtSlash && byte === SLASH)) return;
  }
}

/** Skips to the parenthesis that closes the open one. */
function skipNested(cursor: Cursor): void {
  let depth = 1;
  for (; cursor.position < cursor.end; cursor.position++) {
    const byte = cursor.peek();
    if (byte === OPEN) depth++;
    else if (byte === CLOSE && --depth === 0) return;
  }
}
