/** The few keywords of JSON Schema that the flow's schema uses. @returns what is wrong, by path */
export function errorsOf(root: unknown, json: unknown): readonly string[] {
  const errors: string[] = [];
  check(root, root, json, "", errors);
  return errors;
}

type Members = { readonly [name: string]: unknown };

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function check(
  root: unknown,
  schema: unknown,
  json: unknown,
  path: string,
  errors: string[],
): void {
  if (!isMembers(schema)) throw new Error(`no schema at ${path}`);
  const { $ref } = schema;
  if (typeof $ref === "string") {
    let target: unknown = root;
    for (const name of $ref.split("/").slice(1))
      target = isMembers(target) ? target[name] : undefined;
    check(root, target, json, path, errors);
  }
  if (Array.isArray(schema["anyOf"])) {
    const all = schema["anyOf"].map((one: unknown) => {
      const found: string[] = [];
      check(root, one, json, path, found);
      return found;
    });
    if (!all.some((found) => found.length === 0)) errors.push(`${path}: none of ${all.length}`);
  }
  if ("const" in schema && schema["const"] !== json) errors.push(`${path}: not the constant`);
  if (Array.isArray(schema["enum"]) && !schema["enum"].includes(json)) errors.push(`${path}: enum`);
  checkType(schema, json, path, errors);
  if (isMembers(json)) checkMembers(root, schema, json, path, errors);
  if (Array.isArray(json) && schema["items"] !== undefined)
    for (const [index, one] of json.entries())
      check(root, schema["items"], one, `${path}[${index}]`, errors);
}

function checkType(schema: Members, json: unknown, path: string, errors: string[]): void {
  const { type, minimum, maximum, pattern } = schema;
  const fits: { readonly [type: string]: boolean } = {
    object: isMembers(json),
    array: Array.isArray(json),
    string: typeof json === "string",
    number: typeof json === "number",
    integer: Number.isInteger(json),
  };
  if (typeof type === "string" && fits[type] !== true) errors.push(`${path}: not ${type}`);
  if (typeof minimum === "number" && typeof json === "number" && json < minimum)
    errors.push(`${path}: small`);
  if (typeof maximum === "number" && typeof json === "number" && json > maximum)
    errors.push(`${path}: large`);
  if (typeof pattern === "string" && typeof json === "string" && !new RegExp(pattern).test(json))
    errors.push(`${path}: pattern`);
}

function checkMembers(
  root: unknown,
  schema: Members,
  json: Members,
  path: string,
  errors: string[],
): void {
  const properties = isMembers(schema["properties"]) ? schema["properties"] : {};
  const patterns = isMembers(schema["patternProperties"]) ? schema["patternProperties"] : {};
  for (const [name, value] of Object.entries(json)) {
    const pattern = Object.keys(patterns).find((one) => new RegExp(one).test(name));
    const inner = properties[name] ?? (pattern === undefined ? undefined : patterns[pattern]);
    if (inner !== undefined) check(root, inner, value, `${path}.${name}`, errors);
    else if (schema["additionalProperties"] === false) errors.push(`${path}.${name}: unknown`);
  }
  if (Array.isArray(schema["required"]))
    for (const name of schema["required"])
      if (!(String(name) in json)) errors.push(`${path}: no ${String(name)}`);
  const count = Object.keys(json).length;
  if (typeof schema["minProperties"] === "number" && count < schema["minProperties"])
    errors.push(`${path}: few`);
  if (typeof schema["maxProperties"] === "number" && count > schema["maxProperties"])
    errors.push(`${path}: many`);
}
