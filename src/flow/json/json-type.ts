import type { Member } from "../action/member.ts";
import { ACTIONS, type ActionSpec } from "../action/table.ts";
import { KEYS, type KeySpec } from "../key/table.ts";
import * as T from "../key/tunnel-fields.ts";
import type { Field } from "../text/field.ts";
import type { FieldSet } from "../text/field-set.ts";
import {
  ANY,
  fieldValues,
  memberValues,
  PLAIN,
  PORT,
  PORTS,
  strings,
  U32,
  type Values,
} from "./values.ts";

/**
 * How a part of the language looks in JSON. Text and JSON have the same tree and map one to one:
 * - `scalar`: a number, or a string with the text; with `bare`, also true for no value
 * - `percent`: a number; text adds a `%`
 * - `flag`: true; text has the bare word
 * - `object`: members by name; with `bare`, true means no parentheses
 * - `choice`: one of its members
 * - `keys`, `actions`: a key, a list of actions
 * - `stack`: a list of objects, whose members follow one another in text; `options`: in braces
 */
export type JsonType =
  | {
      readonly kind: "scalar";
      readonly about: string;
      /** The characters that its string may have, for the reader. */
      readonly inside: RegExp;
      /** Its valid values, for the schema. */
      readonly values: Values;
      readonly bare: boolean;
    }
  | { readonly kind: "percent" | "flag" | "keys" | "actions"; readonly about: string }
  | {
      readonly kind: "object" | "choice" | "stack" | "options";
      readonly about: string;
      readonly members: ReadonlyMap<string, TypeMember>;
      readonly required: readonly string[];
      readonly bare: boolean;
    };

/** A member of a type: `name=value`, `name(value)` or, for a flag, `name`. */
type TypeMember = {
  readonly type: JsonType;
  /** Whether the value is in parentheses rather than after `=`. */
  readonly group: boolean;
};

/** Bytes with blanks between them; the words of slow_path; nothing at all. */
const BYTES = /^[0-9A-Fa-f /]*$/;
const REASONS = /^[a-z0-9,|x_=-]*$/;

function scalar(about: string, values: Values = ANY, bare = false): JsonType {
  const inside = values === PORTS ? PORT : PLAIN;
  return { kind: "scalar", about, inside, values, bare };
}

/** A string that may contain blanks and commas. */
function wide(about: string, inside: RegExp): JsonType {
  return { kind: "scalar", about, inside, values: strings(inside), bare: false };
}

function object(
  about: string,
  members: Iterable<readonly [string, TypeMember]>,
  options: {
    kind?: "object" | "choice" | "stack" | "options";
    required?: readonly string[];
    bare?: boolean;
  } = {},
): JsonType {
  const { kind = "object", required = [], bare = false } = options;
  return { kind, about, members: new Map(members), required, bare };
}

function value(name: string, type: JsonType): readonly [string, TypeMember] {
  return [name, { type: type, group: false }];
}

function group(name: string, type: JsonType): readonly [string, TypeMember] {
  return [name, { type: type, group: true }];
}

/**
 * Makes members from fields; the words of a choice are flags. With `mask`, a mask may follow each
 * value.
 */
function fieldsOf(
  fields: readonly Field[],
  mask = true,
): readonly (readonly [string, TypeMember])[] {
  return fields.flatMap((field) => {
    const about = field.about === "" ? `${field.kind}, ${field.bits} bits` : field.about;
    if (field.kind === "choice")
      return field.words.slice(1).map((word = "") => value(word, { kind: "flag", about }));
    const type = scalar(about, fieldValues(field, mask));
    return [field.name, ...field.aliases].map((name) => value(name, type));
  });
}

function keyType(key: KeySpec): JsonType {
  switch (key.form) {
    case "single": {
      const [field] = key.fields;
      if (field === undefined || field.kind === "hex") return wide(key.about, BYTES);
      return scalar(key.about, fieldValues(field, true));
    }
    case "struct":
      return object(key.about, fieldsOf(key.fields));
    case "mpls":
      return object(key.about, fieldsOf(key.fields), { kind: "stack" });
    case "tunnel":
      return tunnelType(key);
    default:
      return { kind: "keys", about: key.about };
  }
}

function tunnelType(key: KeySpec): JsonType {
  const geneve = object(
    "Geneve options",
    [
      value("class", scalar("class")),
      value("type", scalar("type")),
      value("len", scalar("bytes of data")),
      value("data", scalar("0x and digits, with a mask if need be")),
    ],
    { kind: "options" },
  );
  const gbp = object("VXLAN group policy", [
    group("gbp", object("id and flags", fieldsOf(T.VXLAN_GBP_FIELDS))),
  ]);
  const erspan = [T.ERSPAN_VERSION, ...T.ERSPAN_FIELDS_1, ...T.ERSPAN_FIELDS_2];
  return object(key.about, [
    ...fieldsOf(T.TUNNEL_FIELDS),
    group("geneve", geneve),
    group("vxlan", gbp),
    group("erspan", object("ERSPAN", fieldsOf(erspan))),
    group("gtpu", object("GTP-U", fieldsOf(T.GTPU_FIELDS))),
    group("flags", scalar("oam, df, csum, key", fieldValues(T.TUNNEL_FLAGS_FIELD, true))),
  ]);
}

/** The fields of a struct. */
function structType(about: string, { fields }: FieldSet): JsonType {
  const required = fields.filter(({ initial }) => initial === undefined).map(({ name }) => name);
  return object(about, fieldsOf(fields, false), { required });
}

function memberType(member: Member): readonly [string, TypeMember] {
  switch (member.kind) {
    case "flag":
    case "none":
      return value(member.name, { kind: "flag", about: member.about });
    case "percent":
      return value(member.name, { kind: "percent", about: member.about });
    case "actions":
      return group(member.name, { kind: "actions", about: member.about });
    case "userdata":
    case "exact":
      return group(member.name, wide(member.about, BYTES));
    case "cookie":
      return group(
        member.name,
        member.cookie === undefined || member.cookie.reasons
          ? wide(member.about, REASONS)
          : structType(member.about, member.cookie.fields),
      );
    case "nat":
      return group(member.name, natType(member.about));
    default:
      return value(member.name, scalar(member.about, memberValues(member)));
  }
}

function natType(about: string): JsonType {
  const range = "A[-B][:p[-q]], or true for none";
  const flag = (text: string): JsonType => ({ kind: "flag", about: text });
  return object(
    about,
    [
      value("src", scalar(range, ANY, true)),
      value("dst", scalar(range, ANY, true)),
      value("persistent", flag("the same address for each connection of a host")),
      value("hash", flag("a port by hash")),
      value("random", flag("a port at random")),
    ],
    { bare: true },
  );
}

function actionType(action: ActionSpec): JsonType {
  const { form, about } = action;
  switch (form.kind) {
    case "flag":
      return { kind: "flag", about };
    case "struct":
      return structType(about, form.fields);
    case "nsh": {
      const fields = fieldsOf(form.fields.fields, false);
      return object(about, [...fields, value("md2", scalar("metadata of type 2, 0x and digits"))]);
    }
    case "nest": {
      const required = form.members.members
        .filter((member) => member.required)
        .map((member) => member.name);
      const members = form.members.members.map(memberType);
      return object(about, members, { required, bare: form.members.bare });
    }
    case "actions":
      return { kind: "actions", about };
    case "set":
      return { kind: "keys", about };
    case "hash": {
      const words = ["l4", "sym_l4"].map((name) => group(name, scalar("basis", U32)));
      return object(about, words, { kind: "choice" });
    }
    case "drop":
      return scalar(about, U32, true);
    case "number":
      return scalar(about, U32);
    default:
      return scalar(about, PORTS);
  }
}

/** The types of keys, by name. */
export const KEY_TYPES: ReadonlyMap<string, JsonType> = new Map(
  KEYS.map((key) => [key.name, keyType(key)]),
);

/** The types of actions, by name; a bare port is `output`. */
export const ACTION_TYPES: ReadonlyMap<string, JsonType> = new Map(
  ACTIONS.map((action) => [action.name, actionType(action)]),
);

/** The type of a key or an action that is not in the tables: its bytes. */
export const RAW_TYPE: JsonType = wide("bytes, hexadecimal, with blanks between them", BYTES);
