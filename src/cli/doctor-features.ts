import { missingFeatures } from "../flow/rules/missing-feature.ts";
import { OvsChannel } from "../ovs/channel.ts";
import { createDatapath, deleteDatapath, handleOf } from "../ovs/datapath.ts";
import { probeFeatures } from "../ovs/features.ts";
import { MillraceError } from "../sys/errors.ts";
import { NetworkNamespace } from "../sys/netns.ts";

// The doctor's check of the kernel's features for flows.

/** What was checked, what was found, and what to do if something is lacking. */
export type Check = {
  readonly what: string;
  /** `ok`; `note`: it works with a limitation; `lacking`: something does not work. */
  readonly verdict: "ok" | "note" | "lacking";
  readonly found: string;
  readonly remedy?: string;
};

const WHAT = "features of the datapath";

/**
 * Finds the kernel's features by trying them in a temporary datapath, in a temporary network
 * namespace: nothing outside changes.
 */
export function checkFeatures(): Check[] {
  try {
    using namespace = NetworkNamespace.create();
    using channel = new OvsChannel(namespace);
    const datapath = handleOf(channel, createDatapath(channel, "millrace-probe"));
    try {
      const missing = missingFeatures(probeFeatures(datapath));
      if (missing.length === 0)
        return [{ what: WHAT, verdict: "ok", found: "all that flows can use" }];
      return missing.map(({ feature, since, instead }) => ({
        what: WHAT,
        verdict: "note",
        found: `no ${feature}: flows with it are rejected${instead === undefined ? "" : `; ${instead}`}`,
        remedy: `Linux ${since}, or a distribution's kernel that has it`,
      }));
    } finally {
      deleteDatapath(channel, datapath.name);
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return [unknown(error)];
  }
}

function unknown(error: MillraceError): Check {
  const found = `not tried: ${error.message}`;
  if (error.code === "NO_MODULE") return { what: WHAT, verdict: "note", found };
  const remedy = "sudo millrace doctor; or unshare -rn millrace doctor";
  return { what: WHAT, verdict: "note", found, remedy };
}
