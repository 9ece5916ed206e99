import { peerPath } from "../src/lab/index.ts";
import { buildDpif } from "./build-ovs.ts";
import { buildLimit, buildMnl, findPyroute, type Found } from "./build.ts";

/** The peers that can be run here; a missing one is undefined. */
export type Peers = {
  readonly limit: string | undefined;
  readonly mnl: string | undefined;
  /** The program that uses OVS's library. */
  readonly dpif: string | undefined;
  readonly pyroute: readonly string[] | undefined;
  readonly dpctl: boolean;
  /** What is left out, and why. */
  readonly skipped: readonly string[];
};

/** No peers at all. */
export const NO_PEERS: Peers = {
  limit: undefined,
  mnl: undefined,
  dpif: undefined,
  pyroute: undefined,
  dpctl: false,
  skipped: [],
};

/** Which peers to fetch. */
type WantedPeers = {
  /** Whether a part in the lab is compared with ovs-dpctl. */
  readonly dpctl: boolean;
  /** Whether to fetch libmnl, pyroute2 and OVS's library as well. */
  readonly all: boolean;
};

/** Compiles and finds the peers; missing ones come from Debian's packages, without root. */
export async function findPeers(folder: string, wanted: WantedPeers): Promise<Peers> {
  const fetch = wanted.all;
  const skipped: string[] = [];
  const take = <T>(name: string, found: Found<T>): T | undefined => {
    if ("value" in found) return found.value;
    skipped.push(`${name}: ${found.missing}`);
    return undefined;
  };
  const limit = take("the C program", buildLimit(folder));
  const mnl = take("libmnl", await buildMnl(folder, fetch));
  const pyroute = take("pyroute2", await findPyroute(fetch));
  const dpctl = wanted.dpctl ? take("ovs-dpctl", await findDpctl()) : undefined;
  const dpif = take("OVS's own library", await buildDpif(folder, fetch));
  return { limit, mnl, pyroute, dpif, dpctl: dpctl !== undefined, skipped };
}

/** The tool that users have today, in the lab's version, fetched like its kernel. */
async function findDpctl(): Promise<Found<string>> {
  let why = "it cannot be had";
  const found = await peerPath(["ovs-dpctl"], { onProgress: (line) => (why = line) });
  return found === undefined ? { missing: why } : { value: found };
}
