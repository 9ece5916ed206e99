import type { Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { DATAPATH, MILLRACE, scripted, sweepRounds } from "./programs.ts";

/** The options of a dump, besides `-m`, and their names. */
const FORMATS = [
  ["text", "dump", ""],
  ["json", "dump --json", "--json"],
  ["set", "dump to a flow set", "--format msgpack"],
] as const;

/** Numbers of masks, and so of forms, for dumps of a tenth of the flows. */
const FORMS = [1, 16, 64] as const;

/**
 * Dumps in separate processes: of all flows and of none, in each format, by size and by number of
 * forms.
 */
export function dump(size: Size, files: Files, peers: Peers): Variant[] {
  const { flows } = size;
  const full = `${flows} flows printed`;
  const empty = "its start (nothing to print)";
  const own = (options: string): string => `'${MILLRACE}' dump --dp "$0" ${options}`;
  const theirs = `ovs-dpctl dump-flows -m "$0"`;
  const dpctl = "ovs-dpctl dump-flows -m";
  const found = [
    printed("dump", `millrace dump -m, ${full}`, own("-m"), flows),
    printed("dpctl-dump", `${dpctl}, ${full}`, theirs, flows),
    printed("dump-start", `millrace dump -m, ${empty}`, own("-m"), 0),
    printed("dpctl-dump-start", `${dpctl}, ${empty}`, theirs, 0),
    ...FORMATS.map(([id, name, options]) => ({
      ...printed(`dump-${id}`, `millrace ${name}, ${full}`, own(options), flows),
      rounds: sweepRounds(size),
    })),
    terse(size),
    ...byForms(size, files, [
      ["dump", "millrace dump -m", own("-m")],
      ["dpctl-dump", dpctl, theirs],
    ]),
  ];
  return found.filter(({ program }) => peers.dpctl || program === "millrace");
}

/** Dumps of a tenth of the flows, with increasing numbers of masks. */
function byForms(
  size: Size,
  files: Files,
  programs: readonly (readonly ["dump" | "dpctl-dump", string, string])[],
): Variant[] {
  const some = Math.ceil(size.flows / 10);
  return FORMS.flatMap((forms) =>
    programs.map(([id, name, script]) => ({
      ...printed(
        `${id}-${forms}-forms`,
        `${name}, ${some} flows of ${forms === 1 ? "a form" : `${forms} forms`}`,
        script,
        some,
      ),
      flowsFile: files.masked(some, forms),
      masks: forms,
      rounds: sweepRounds(size),
    })),
  );
}

function terse(size: Size): Variant {
  const { flows } = size;
  const name = `millrace, counters by UFID, ${flows} flows`;
  return {
    ...printed("dump-terse", name, "", flows),
    ...scripted({ part: "dump", id: "dump-terse", name, flows }, "bench/lab/terse.ts"),
    leaves: flows,
    rounds: sweepRounds(size),
  };
}

/** A program that prints a datapath of `flows` flows. */
function printed(id: Variant["id"], name: string, script: string, flows: number): Variant {
  return {
    part: "dump",
    id,
    name,
    program: id.startsWith("dpctl") ? "ovs-dpctl" : "millrace",
    command: ["sh", "-c", `exec ${script} > /dev/null`, DATAPATH],
    flows,
    leaves: flows,
    reports: false,
    before: flows > 0 ? "flows" : "empty",
  };
}
