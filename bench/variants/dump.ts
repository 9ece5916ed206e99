import type { Variant } from "../model.ts";
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
    printed({
      id: "dump",
      name: `millrace dump -m, ${full}`,
      program: "millrace",
      script: own,
      flows: flows,
    }),
    printed({
      id: "dpctl-dump",
      name: `${dpctl}, ${full}`,
      program: "ovs-dpctl",
      script: theirs,
      flows: flows,
    }),
    printed({
      id: "dump-start",
      name: `millrace dump -m, ${empty}`,
      program: "millrace",
      script: own,
      flows: 0,
    }),
    printed({
      id: "dpctl-dump-start",
      name: `${dpctl}, ${empty}`,
      program: "ovs-dpctl",
      script: theirs,
      flows: 0,
    }),
  ];
  return found.filter(({ program }) => peers.dpctl || program === "millrace");
}

/** A program that prints a datapath of so many flows. */
type Printing = Pick<Variant, "id" | "name" | "program"> & {
  readonly script: string;
  readonly flows: number;
};

function printed({ id, name, program, script, flows }: Printing): Variant {
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
