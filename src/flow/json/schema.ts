import { ACTION_TYPES, KEY_TYPES, RAW_TYPE, type JsonType } from "./json-type.ts";
import { UFID } from "./values.ts";

/** A JSON Schema, or a part of one. */
type Schema = { readonly [keyword: string]: unknown };

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** The JSON Schema (draft 2020-12) of a flow in JSON, made from the tables of keys and actions. */
export function flowJsonSchema(): Schema {
  return {
    $schema: DIALECT,
    title: "A flow of the Open vSwitch kernel datapath",
    type: "object",
    properties: {
      verb: { enum: ["add", "modify", "delete"] },
      ufid: { type: "string", pattern: UFID.source },
      key: { $ref: "#/$defs/keys" },
      actions: { $ref: "#/$defs/actions" },
      packets: { type: "integer", minimum: 0 },
      bytes: { type: "integer", minimum: 0 },
      used: { anyOf: [{ type: "number", minimum: 0 }, { const: "never" }] },
      flags: { type: "string" },
    },
    required: ["key"],
    additionalProperties: false,
    $defs: {
      keys: {
        type: "object",
        properties: Object.fromEntries(
          [...KEY_TYPES].map(([name, type]) => [name, schemaOf(type)]),
        ),
        patternProperties: { [unnamed("key", KEY_TYPES)]: schemaOf(RAW_TYPE) },
        additionalProperties: false,
      },
      actions: { type: "array", items: { $ref: "#/$defs/action" } },
      action: {
        type: "object",
        properties: Object.fromEntries(
          [...ACTION_TYPES].map(([name, type]) => [name, schemaOf(type)]),
        ),
        patternProperties: { [unnamed("action", ACTION_TYPES)]: schemaOf(RAW_TYPE) },
        additionalProperties: false,
        minProperties: 1,
        maxProperties: 1,
      },
    },
  };
}

/** A pattern for the names of numbered keys or actions that have no other name. */
function unnamed(word: string, named: ReadonlyMap<string, JsonType>): string {
  const numbers = [...named.keys()].filter((name) => new RegExp(`^${word}[0-9]+$`).test(name));
  const others = numbers.map((name) => `(?!${name}$)`).join("");
  return `^${others}${word}[0-9]+$`;
}

function schemaOf(type: JsonType): Schema {
  const { about: description } = type;
  switch (type.kind) {
    case "scalar": {
      const { max: maximum, pattern } = type.values;
      const anyOf: Schema[] = [];
      if (maximum !== undefined) anyOf.push({ type: "integer", minimum: 0, maximum });
      if (pattern !== undefined) anyOf.push({ type: "string", pattern });
      if (type.bare) anyOf.push({ const: true });
      return { description, anyOf };
    }
    case "percent":
      return { description, type: "number", minimum: 0, maximum: 100 };
    case "flag":
      return { description, const: true };
    case "keys":
      return { description, $ref: "#/$defs/keys" };
    case "actions":
      return { description, $ref: "#/$defs/actions" };
    case "stack":
    case "options":
      return { description, type: "array", items: objectSchema(type) };
    default: {
      const object = objectSchema(type);
      return type.bare
        ? { description, anyOf: [object, { const: true }] }
        : { description, ...object };
    }
  }
}

function objectSchema(type: Extract<JsonType, { members: unknown }>): Schema {
  const members = [...type.members].map(([name, member]) => [name, schemaOf(member.type)]);
  return {
    type: "object",
    properties: Object.fromEntries(members),
    required: type.required,
    additionalProperties: false,
    ...(type.kind === "choice" ? { minProperties: 1, maxProperties: 1 } : {}),
  };
}
