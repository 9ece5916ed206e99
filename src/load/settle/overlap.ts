import { overlaps } from "../../flow/key/overlap.ts";
import { KeyRecord } from "../../flow/key/record.ts";
import { type FlowParts, identityOf, readMatch } from "../../flow/parts.ts";
import { dumpFlows, getFlow } from "../../ovs/flow.ts";
import type { FlowVerb } from "../../ovs/flow-request.ts";
import { EEXIST } from "../../sys/errno.ts";
import { OVERLAPS, type Rejection } from "./explain.ts";
import { describe, otherNameReason } from "./held-flows.ts";
import type { LoadTarget } from "../send/connection.ts";
import { sameMatch } from "./same-flow.ts";

/** The most searches of a load, and the most flows of each, since the load waits for them. */
const SEARCHES_MAX = 3;
const FLOWS_MAX = 50_000;

/** The most flows that a load reads by their own identity before it gives up. */
const LOOKS_MAX = 100;

/**
 * Finds the flow because of which an overlapping one was refused. The kernel does not say which it
 * was, and a GET finds only a flow of the same identity, so a dump is searched.
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

  /**
   * Names the flow that is in the way, if that caused a rejection and it is found: one that
   * overlaps, or the same flow under another identity.
   */
  nameIn(why: Rejection, verb: FlowVerb, errno: number, refused: FlowParts): Rejection {
    const met = errno === EEXIST && (verb === "put" || verb === "add");
    const reason = met ? this.#find(refused) : undefined;
    return reason === undefined ? why : { ...why, reason };
  }

  // The reason with the found flow; undefined if that has the identity of the refused one, if none
  // was found, or after too many searches.
  #find(refused: FlowParts): string | undefined {
    if (this.#searches === SEARCHES_MAX || this.#looks === LOOKS_MAX) return undefined;
    const { datapath } = this.#target;
    this.#looks++;
    if (getFlow(datapath, identityOf(refused), () => {})) return undefined;
    if (!readMatch(refused, this.#refused)) return undefined;
    this.#searches++;
    let seen = 0;
    for (const view of dumpFlows(datapath)) {
      if (readMatch(view, this.#held) && overlaps(this.#refused, this.#held)) {
        const name = describe(view);
        return sameMatch(refused, view) ? otherNameReason(name) : `${OVERLAPS}: ${name}`;
      }
      if (++seen === FLOWS_MAX) break;
    }
    return undefined;
  }
}
