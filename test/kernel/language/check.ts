import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import { sameActions } from "../../../src/flow/action/same.ts";
import { flowOf, type HeldFlow, type OneFlow } from "./one-flow.ts";

/**
 * The result of a line: refused by the parser or the kernel, or held, with everything that is
 * wrong.
 */
type Checked = {
  readonly refused: string | undefined;
  readonly wrong: readonly string[];
};

/**
 * Puts a line into the kernel and holds what comes back against it: the UFID, the normal form, the
 * actions; that a second load changes nothing; that the dump in both styles loads to the same state.
 */
export function checkFlow(one: OneFlow, line: string): Checked {
  try {
    const errno = one.put(line);
    if (errno !== undefined) return { refused: errno, wrong: [] };
  } catch (error) {
    if (error instanceof FlowSyntaxError) return { refused: error.message, wrong: [] };
    throw error;
  }
  const wrong: string[] = [];
  const differ = (what: string, got: string, wanted: string): void => {
    if (got !== wanted) wrong.push(`${what}: ${got}\n      wanted ${wanted}`);
  };
  const sent = flowOf(line);
  const first = only(one, wrong);
  if (!line.startsWith("ufid:")) differ("UFID held", first.raw.ufid, sent.ufid);
  differ("UFID of the dump", first.own.ufid, sent.ufid);
  differ("key of the dump", first.own.key, sent.key);
  differ("mask of the dump", first.own.mask, sent.mask);
  if (!same(sent.actions, first.raw.actions))
    differ("actions of the dump", first.raw.actions, sent.actions);
  differ("the second load", one.put(line) ?? "applied", "applied");
  differ("state after the second load", stateOf(only(one, wrong)), stateOf(first));
  for (const style of ["text", "verbose"] as const) {
    one.flush();
    const text = first[style];
    differ(`load of the ${style} ${text}`, load(one, text), "applied");
    const again = one.held()[0];
    if (again === undefined) continue;
    // As ovs-dpctl, the short style leaves out UFIDs, those of others too.
    if (style === "text" && line.startsWith("ufid:")) continue;
    differ(`state after the load of ${text}`, stateOf(again), stateOf(first));
    differ(`${style} of the second dump`, again[style], text);
  }
  one.flush();
  return { refused: undefined, wrong };
}

function only(one: OneFlow, wrong: string[]): HeldFlow {
  const [first, ...others] = one.held();
  if (first === undefined) throw new Error("the kernel holds nothing");
  if (others.length > 0) wrong.push(`${others.length} flows too many`);
  return first;
}

function load(one: OneFlow, text: string): string {
  try {
    return one.put(text) ?? "applied";
  } catch (error) {
    if (error instanceof FlowSyntaxError) return error.message;
    throw error;
  }
}

function stateOf({ raw }: HeldFlow): string {
  return `${raw.ufid} ${raw.key} ${raw.mask} ${raw.actions}`;
}

function same(one: string, other: string): boolean {
  const left = Uint8Array.fromHex(one);
  const right = Uint8Array.fromHex(other);
  return sameActions(left, 0, left.length, right, 0, right.length);
}
