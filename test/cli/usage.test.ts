import { expect, test } from "bun:test";
import { join } from "node:path";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

test.each([
  [["load", "--nonsense"], "millrace load --help"],
  [["lab", "run", "--nonsense"], "millrace lab run --help"],
  [["--nonsense"], "millrace --help"],
])("%p: a usage error names the help that helps", (args, help) => {
  const { exitCode, stderr } = Bun.spawnSync([MILLRACE, ...args]);
  expect(exitCode).toBe(2);
  expect(stderr.toString()).toContain(`(see '${help}')`);
});

test.each([
  [["dump"], "--dp NAME is missing: 'millrace dp list' shows the datapaths\n"],
  [["dump", "lab0"], "--dp NAME is missing: 'millrace dp list' shows the datapaths\n"],
  [["port", "list"], "--dp NAME is missing: 'millrace dp list' shows the datapaths\n"],
  [["snapshot", "--dp", "lab0"], "--output FILE is missing\n"],
  [["dump-flows"], "unknown command 'dump-flows'; ovs-dpctl's is 'millrace dpctl dump-flows'\n"],
  [["add-dp", "lab0"], "unknown command 'add-dp'; ovs-dpctl's is 'millrace dpctl add-dp'\n"],
  [
    ["load", "flows.txt", "lab0"],
    "too many arguments for 'load'. Expected 1 argument but got 2. The datapath is named by --dp NAME\n",
  ],
  [
    ["port", "add", "veth1", "lab0", "--dp", "lab0"],
    "too many arguments for 'add'. Expected 1 argument but got 2. The datapath is named by --dp NAME\n",
  ],
  [["dp", "add", "lab0", "lab1"], "too many arguments for 'add'. Expected 1 argument but got 2.\n"],
  [["lod"], "unknown command 'lod'\n(Did you mean load?)\n"],
])("%p: what is missing is named", (args, message) => {
  const { exitCode, stderr } = Bun.spawnSync([MILLRACE, ...args]);
  expect(exitCode).toBe(2);
  expect(stderr.toString()).toStartWith(`millrace: ${message}(see 'millrace`);
});

test("who looks for a command that puts one flow finds it", () => {
  const { stdout } = Bun.spawnSync([MILLRACE, "help", "flow"]);
  expect(stdout.toString()).toContain("echo 'in_port(1),eth() 2' | millrace load --dp lab0");
});

test("the help names the variable that traces", () => {
  const { stdout } = Bun.spawnSync([MILLRACE, "--help"]);
  expect(stdout.toString()).toContain("MILLRACE_TRACE=netlink");
});

test("the help of load shows its defaults as people write them", () => {
  const { stdout } = Bun.spawnSync([MILLRACE, "load", "--help"]);
  expect(stdout.toString().replaceAll(/\s+/g, " ")).toContain("ENOENT of a delete (default: none)");
});

test("dump --json is a format, and cannot be combined with another one", () => {
  const dump = (...args: readonly string[]): string => {
    const { stderr, exitCode } = Bun.spawnSync([MILLRACE, "dump", "--dp", "none-such", ...args]);
    return `${exitCode}: ${stderr.toString()}`;
  };
  for (const format of ["text", "msgpack"]) {
    const said = dump("--json", "--format", format);
    expect(said).toContain(`2: millrace: --json is --format jsonl`);
    expect(said).toContain(`--format ${format}`);
  }
  // These get as far as the datapath.
  for (const args of [["--json"], ["--json", "--format", "jsonl"]])
    expect(dump(...args)).not.toStartWith("2:");
});

test.each([
  [["--any-port"], "--any-port is for --dry-run"],
  [["--workers", "2", "--transport", "send"], "sends by sendmmsg, not by --transport send"],
  [["--workers", "2", "--transport", "writev"], "sends by sendmmsg, not by --transport writev"],
])("load %p: options that contradict one another are a usage error", (args, message) => {
  const { exitCode, stderr } = Bun.spawnSync([MILLRACE, "load", "none.txt", "--dp", "x", ...args]);
  expect([exitCode, stderr.toString()]).toEqual([2, expect.stringContaining(message)]);
});

test.each([
  [["dump", "--group-by", "in_port", "--format", "msgpack"], "a flow set holds flows"],
  [["dump", "--sum", "packets", "--no-stats"], "--sum cannot be combined with --no-stats"],
  [["dump", "--sum", "flows"], 'found "flows", expected packets or bytes'],
  [["flow", "del"], "FLOW is missing, or --where"],
  [["flow", "del", "in_port(1)", "--where", "tcp"], "give FLOW or --where, not both"],
])("%p: what cannot be done is a usage error", (args, message) => {
  const { exitCode, stderr } = Bun.spawnSync([MILLRACE, ...args, "--dp", "none-such"]);
  expect([exitCode, stderr.toString()]).toEqual([2, expect.stringContaining(message)]);
});
