/** The shortest form of every command, run in a lab by whoever is to have them all: an installed package, or the binary. */
import { expect } from "bun:test";
import { say } from "./packed.ts";

/** What each command is called with, in a folder with `flows.txt`, beside a datapath d0 with a port v1. */
const SHORTEST: Readonly<Record<string, string>> = {
  load: "load flows.txt --dp d0",
  dump: "dump --dp d0",
  compile: "compile flows.txt -o flows.set",
  dp: "dp list",
  port: "port list --dp d0",
  flow: "flow flush --dp d0",
  sync: "sync flows.txt --dp d0",
  verify: "verify flows.txt --dp d0",
  snapshot: "snapshot --dp d0 -o d0.set",
  diff: "diff d0.set dp:d0",
  restore: "restore d0.set --dp d0",
  dpctl: "dpctl show",
  top: "top --dp d0 --once",
  completion: "completion bash",
  meter: "meter features --dp d0",
  "ct-limit": "ct-limit get",
  monitor: "monitor --dp d0",
  upcalls: "upcalls --dp d0",
  lab: "lab list",
  doctor: "doctor",
  demo: "demo --here",
  bench: "bench --help",
  sample: "sample 3",
  help: "help load",
};

/** Commands that go on until they are ended, and what they say when they have begun. */
const ENDLESS: ReadonlySet<string> = new Set(["monitor", "upcalls"]);

/** Sets the place up, runs each command, and prints `NAME STATUS` for it; what failed says why. */
function script(): string {
  const lines = Object.entries(SHORTEST).map(([name, words]) =>
    ENDLESS.has(name) ? `endless ${name} ${words}` : `run ${name} ${words}`,
  );
  return `cd "$TMPDIR" || exit
exec 2>&1
echo 'in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp() 1' >flows.txt
ip link add v1 type dummy && millrace dp add d0 && millrace port add v1 --dp d0 || exit
run() {
  name=$1; shift
  millrace "$@" >said 2>&1 </dev/null
  status=$?
  echo "$name $status"
  [ $status = 0 ] || cat said
}
endless() {
  name=$1; shift
  timeout 20 millrace "$@" >said 2>&1 </dev/null &
  until grep -q listening said || ! kill -0 $!; do sleep 0.1; done
  kill $!; wait $!
  grep -q listening said; echo "$name $?"
}
${lines.join("\n")}
`;
}

/** The commands that a program's help names. */
function commandsOf(millrace: string, cwd: string): string[] {
  const { out } = say([millrace, "--help"], cwd);
  const [, commands = ""] = out.split("Commands:\n");
  return [...commands.matchAll(/^ {2}([a-z][a-z-]*)(?: \[\S+\])? {2}/gm)].map(
    ([, name = ""]) => name,
  );
}

/** Expects each command of `millrace` to do in a lab of its own what it is for. */
export function expectEveryCommand(millrace: string, cwd: string): void {
  expect(commandsOf(millrace, cwd).toSorted()).toEqual(Object.keys(SHORTEST).toSorted());
  const lab = ["lab", "run", "--kernel", "uml", "--quiet", "--timeout", "120", "--"];
  const { out, err } = say([millrace, ...lab, "sh", "-c", script()], cwd);
  const wanted = Object.keys(SHORTEST).map((name) => `${name} 0`);
  expect([err, out.trimEnd().split("\n")]).toEqual(["", wanted]);
}
