/** Flows as JSON: the tree of their text, one to one. */
export { FlowJsonError } from "./json/error.ts";
export { FlowJsonEncoder, flowJsonToLine } from "./json/from-json.ts";
export { FlowJsonLineEncoder } from "./json/line.ts";
export { flowJsonSchema } from "./json/schema.ts";
export { lineToFlowJson, printedLineToJson } from "./json/to-json.ts";
export type { ActionJson, FlowJson, JsonScalar, JsonValue, KeyJson } from "./json/types.ts";
