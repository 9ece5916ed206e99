import type { Command } from "commander";
import { type NamespaceReference, NetworkNamespace } from "../sys/netns.ts";

/**
 * Adds `--namespace` to a command, or to each of its subcommands: the process enters that network
 * namespace before the command opens anything.
 */
export function withNamespace(command: Command): Command {
  for (const leaf of command.commands.length > 0 ? command.commands : [command]) {
    leaf.option(
      "--namespace <NAME>",
      "use this network namespace: a name, a path, or the id of a process in it",
    );
  }
  return command.hook("preAction", (_, leaf) => {
    const { namespace } = leaf.opts<{ namespace?: string }>();
    if (namespace === undefined) return;
    using wanted = NetworkNamespace.open(namespaceOf(namespace));
    wanted.enter();
  });
}

/** The namespace that an argument names: digits are a process id. */
export function namespaceOf(text: string): NamespaceReference {
  return /^[1-9]\d*$/.test(text) ? Number(text) : text;
}
