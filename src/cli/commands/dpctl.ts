import { Command } from "commander";
import { runDpctl } from "../dpctl/run.ts";
import { writeError, writeOut } from "../output.ts";

/** `millrace dpctl`: passes on its arguments, which are ovs-dpctl's. */
export function dpctlCommand(): Command {
  return new Command("dpctl")
    .description("ovs-dpctl's commands for a kernel datapath: a drop-in. 'millrace dpctl help'")
    .argument("[ARGS...]", "as ovs-dpctl takes them")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: string[]) => {
      process.exitCode = await runDpctl(args, {
        out: writeOut,
        error: writeError,
      });
    });
}
