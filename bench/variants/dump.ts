import type { Program, Variant, VariantId } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { DATAPATH, MILLRACE } from "./programs.ts";

/** A dump as text, in a process of its own, of all flows and of none. */
export function dump({ flows }: Size, _files: Files, peers: Peers): Variant[] {
  const full = `${flows} flows printed`;
  const empty = "its start (nothing to print)";
  const own = `'${MILLRACE}' dump --dp "$0" -m`;
  const theirs = `ovs-dpctl dump-flows -m "$0"`;
  const dpctl = "ovs-dpctl dump-flows -m";
  const found = [
    printed("dump", `millrace dump -m, ${full}`, "millrace", own, flows),
    printed("dpctl-dump", `${dpctl}, ${full}`, "ovs-dpctl", theirs, flows),
    printed("dump-start", `millrace dump -m, ${empty}`, "millrace", own, 0),
    printed("dpctl-dump-start", `${dpctl}, ${empty}`, "ovs-dpctl", theirs, 0),
  ];
  return found.filter(({ program }) => peers.dpctl || program === "millrace");
}

function printed(
  id: VariantId,
  name: string,
  program: Program,
  script: string,
  flows: number,
): Variant {
  return {
    part: "dump",
    id,
    name,
    program,
    command: ["sh", "-c", `exec ${script} > /dev/null`, DATAPATH],
    flows,
    leaves: flows,
    reports: false,
    before: flows > 0 ? "flows" : "empty",
  };
}
