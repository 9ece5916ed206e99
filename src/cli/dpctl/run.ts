import manifest from "../../../package.json";
import { MillraceError } from "../../sys/errors.ts";
import { COMMANDS } from "./commands.ts";
import { HELP } from "./help.ts";
import { optionList, parseArguments } from "./options.ts";
import { type DpctlOutput, DpctlSession } from "./session.ts";

/**
 * Runs one call of `millrace dpctl`.
 * @param args as ovs-dpctl takes them, options and command in any order
 * @returns the exit status
 */
export async function runDpctl(args: readonly string[], output: DpctlOutput): Promise<number> {
  const parsed = parseArguments(args);
  if (typeof parsed === "string") {
    output.error(`millrace dpctl: ${parsed}\n`);
    return 1;
  }
  const { options, rest } = parsed;
  if (options.asks !== undefined) {
    const answers = {
      help: HELP,
      option: optionList(),
      version: `millrace dpctl (millrace) ${manifest.version}\n`,
    };
    output.out(answers[options.asks]);
    return 0;
  }
  using session = new DpctlSession(options, output);
  const [name, ...own] = rest;
  if (name === "help") {
    output.out(HELP);
    return 0;
  }
  try {
    return await runCommand(session, name, own);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return session.complainOf(name ?? "", error);
  }
}

function runCommand(
  session: DpctlSession,
  name: string | undefined,
  args: readonly string[],
): number | Promise<number> {
  if (name === undefined) return session.complain("missing command name; use --help for help");
  const command = COMMANDS.find((known) => known.name === name);
  if (command === undefined) {
    return session.complain(`unknown command '${name}'; use --help for help`);
  }
  const { min, max, writes, handler } = command;
  if (args.length < min) {
    return session.complain(`'${name}' command requires at least ${min} arguments`);
  }
  if (args.length > max) {
    return session.complain(`'${name}' command takes at most ${max} arguments`);
  }
  if (writes && session.options.readOnly) {
    return session.complain(`'${name}' command does not work in read only mode`);
  }
  return handler(session, args);
}
