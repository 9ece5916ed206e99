/** Documents of JSON held against the schemas that the project publishes, by ajv. */
import { Ajv2020 } from "ajv/dist/2020.js";

/** Makes a function from a schema that returns the errors of a document, by path. */
export function schemaCheck(schema: object): (json: unknown) => readonly string[] {
  const validate = new Ajv2020({ strict: true, allErrors: true }).compile(schema);
  return (json) => {
    if (validate(json)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message }) => `${instancePath}: ${message}`,
    );
  };
}
