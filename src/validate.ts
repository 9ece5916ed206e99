import { type FlowSource, inputOf } from "./flow-source.ts";
import type { LoadReport } from "./load/report.ts";
import { startLoad, type StartOptions } from "./load/start-load.ts";

/** Options for judging flows, as for a load. */
export type ValidateOptions = Pick<
  StartOptions,
  "mode" | "ufid" | "owner" | "onError" | "onException" | "onProgress" | "signal"
> & {
  /**
   * Names of ports with their numbers; `any` accepts every name. By default only flow sets may name
   * ports: they keep names until they are loaded.
   */
  readonly ports?: Readonly<Record<string, number>> | "any";
};

/**
 * Judges flows as a load would, by the language and by the kernel's rules. Needs no kernel,
 * privileges or datapath. Does not judge what only a running kernel knows (its version, ports,
 * meters, overlapping flows).
 * @returns the report of a dry run: `encoded` flows are valid, `errors` says what is wrong with the
 * first hundred others
 * @throws UnreadableInputError
 */
export async function validate(
  source: FlowSource,
  options: ValidateOptions = {},
): Promise<LoadReport> {
  const { ports, ...rest } = options;
  const named: Pick<StartOptions, "anyPort" | "readPorts"> =
    ports === "any" || ports === undefined
      ? { anyPort: ports === undefined ? "sets" : true }
      : { readPorts: () => Object.entries(ports).map(([name, number]) => ({ name, number })) };
  return startLoad("dry", inputOf(source), { ...rest, ...named, workers: 0 });
}
