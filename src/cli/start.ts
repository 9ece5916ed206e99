// The start of every command. Only what the named command needs is imported.

/** Carries out a command line. @returns the exit status */
export async function start(args: readonly string[]): Promise<number> {
  const [first] = args;
  if (first === "--version" || first === "-V") {
    const { default: manifest } = await import("../../package.json");
    console.log(manifest.version);
    return 0;
  }
  const { runProgram } = await import("./program.ts");
  const { COMMANDS } = await import("./command-table.ts");
  return runProgram(args, COMMANDS);
}
