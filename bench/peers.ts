import { cachedPeers } from "../src/lab/peers.ts";
import { peerPath } from "../src/lab/index.ts";
import { buildDpif } from "./build-ovs.ts";
import { buildLimit, buildMnl, findPyroute, type Found } from "./build.ts";

/** The peers that can be run here; undefined where one is missing. */
export type Peers = {
  readonly limit: string | undefined;
  readonly mnl: string | undefined;
  /** The program on OVS's own library. */
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

/**
 * Compiles and finds the peers.
 * @param fetch get what is missing from Debian's packages, without root
 */
export async function findPeers(folder: string, fetch: boolean): Promise<Peers> {
  const skipped: string[] = [];
  const take = <T>(name: string, found: Found<T>): T | undefined => {
    if ("value" in found) return found.value;
    skipped.push(`${name}: ${found.missing}`);
    return undefined;
  };
  const limit = take("the C program", buildLimit(folder));
  const mnl = take("libmnl", await buildMnl(folder, fetch));
  const pyroute = take("pyroute2", await findPyroute(fetch));
  const dpctl = take("ovs-dpctl", await findDpctl(fetch));
  const dpif = take("OVS's own library", await buildDpif(folder, fetch));
  return { limit, mnl, pyroute, dpif, dpctl: dpctl !== undefined, skipped };
}

async function findDpctl(fetch: boolean): Promise<Found<string>> {
  const path = [process.env["PATH"] ?? "", ...cachedPeers()].join(":");
  const here = Bun.which("ovs-dpctl", { PATH: path });
  if (here !== null) return { value: here };
  if (!fetch) return { missing: "it is not installed; --peers fetches it" };
  let why = "it cannot be had";
  const found = await peerPath(["ovs-dpctl"], { onProgress: (line) => (why = line) });
  return found === undefined ? { missing: why } : { value: found };
}
