import { isCount } from "../../flow/json/values.ts";
import { Unpackr } from "#msgpackr";
import * as L from "./layout.ts";

// Reads the facts after the messages of a flow set's records, and checks whether the set can be
// read here.

const UNPACKR = new Unpackr({ useRecords: false, mapsAsObjects: true });

type Facts = Readonly<Record<string, unknown>>;

/**
 * Reads what follows a record's messages: facts and padding.
 * @returns undefined for anything else
 */
export function unpackFacts(bytes: Uint8Array): Facts | undefined {
  let values: unknown;
  try {
    values = UNPACKR.unpackMultiple(bytes);
  } catch {
    return undefined;
  }
  if (!Array.isArray(values) || values.length !== 2 || typeof values[1] !== "string")
    return undefined;
  const facts: unknown = values[0];
  return isFacts(facts) ? facts : undefined;
}

/** Why the first record is not the header of a set that can be read here; undefined if it is. */
export function headerFault(facts: Facts): string | undefined {
  if (facts["format"] !== L.FLOW_SET_FORMAT) return "it is not a flow set";
  const { version } = facts;
  if (version !== L.FLOW_SET_VERSION) {
    return `it is a flow set of version ${String(version)}, and this millrace reads version ${L.FLOW_SET_VERSION}: compile it again`;
  }
  if (facts["byteOrder"] !== L.byteOrder()) {
    return `its messages are for ${String(facts["byteOrder"])}-endian machines: compile it on this one`;
  }
  const { owner, order } = facts;
  if (owner !== undefined && !isString(owner)) return "its owner is not a name";
  if (order !== undefined && order !== "masks")
    return "its order is unknown to this version of millrace";
  return undefined;
}

/** Whether the lines of a set's messages ascend, according to its header. */
export function linesGoUp({ order }: Facts): boolean {
  return order === undefined;
}

/** The owner of a set's flows, according to its header. */
export function ownerIn({ owner }: Facts): string {
  return isString(owner) ? owner : "";
}

/** The facts of a chunk; undefined if they are not valid. */
export function chunkFacts(facts: Facts): L.FlowSetChunkFacts | undefined {
  const { flows, line, names, ports } = facts;
  if (!isCount(flows) || flows === 0 || !isCount(line)) return undefined;
  if (names === undefined && ports === undefined) return { flows, line };
  const named = isList(names, isString);
  if (!named || !isList(ports, isCount) || ports.length % 2 !== 0) return undefined;
  return { flows, line, names, ports };
}

/** The facts of the last record; undefined if they are not valid. */
export function endFacts(facts: Facts): L.FlowSetEnd | undefined {
  const { chunks, flows, lines, snapshot } = facts;
  if (!isCount(chunks) || !isCount(flows) || !isCount(lines)) return undefined;
  return { chunks, flows, lines, ...(snapshot === undefined ? {} : { snapshot }) };
}

function isFacts(value: unknown): value is Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isList<Of>(
  value: unknown,
  isElement: (one: unknown) => one is Of,
): value is readonly Of[] {
  return Array.isArray(value) && value.every((element) => isElement(element));
}
