/*
 * The start of every command. Only what the named command needs is imported.
 */

async function main(args: readonly string[]): Promise<number> {
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

// Not an `await` at the top of the module: it could not be compiled beforehand.
void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
