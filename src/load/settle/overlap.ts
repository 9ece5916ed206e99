import { overlaps } from "../../flow/key/overlap.ts";
import { KeyRecord } from "../../flow/key/record.ts";
import { type FlowParts, identityOf, readMatch } from "../../flow/parts.ts";
import { dumpFlows, getFlow } from "../../ovs/flow.ts";
import type { FlowVerb } from "../../ovs/flow-request.ts";
import { EEXIST } from "../../sys/errno.ts";
import type { Rejection } from "./explain.ts";
import { describe } from "./held-flows.ts";
import type { LoadTarget } from "../send/connection.ts";

/** Searches of a load, and flows that each of them looks at: it is waited for. */
const SEARCHES_MAX = 3;
const FLOWS_MAX = 50_000;

/** Flows that a load asks for by their own identity before it gives up. */
const LOOKS_MAX = 100;

/**
 * Finds the flow that another one was refused for, because they overlap. The kernel does not say which it
 * was, and a GET finds only the flow of the same identity, so it is looked for in a dump.
 */
export class OverlapSearch {
  readonly #target: LoadTarget;
  readonly #refused = new KeyRecord();
  readonly #held = new KeyRecord();
  #searches = 0;
  #looks = 0;

  constructor(target: LoadTarget) {
    this.#target = target;
  }

  /** Names the flow that is in the way in a rejection, where an overlap is what it was for and one is found. */
  nameIn(why: Rejection, verb: FlowVerb, errno: number, refused: FlowParts): Rejection {
    const met = errno === EEXIST && (verb === "put" || verb === "add");
    const held = met ? this.#find(refused) : undefined;
    return held === undefined ? why : { ...why, reason: `${why.reason}: ${held}` };
  }

  // The key in text; undefined where it is the very flow, none was found, or there were searches enough.
  #find(refused: FlowParts): string | undefined {
    if (this.#searches === SEARCHES_MAX || this.#looks === LOOKS_MAX) return undefined;
    const { datapath } = this.#target;
    this.#looks++;
    if (getFlow(datapath, identityOf(refused), () => {})) return undefined;
    if (!readMatch(refused, this.#refused)) return undefined;
    this.#searches++;
    let seen = 0;
    for (const view of dumpFlows(datapath)) {
      if (readMatch(view, this.#held) && overlaps(this.#refused, this.#held)) return describe(view);
      if (++seen === FLOWS_MAX) break;
    }
    return undefined;
  }
}
