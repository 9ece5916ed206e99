/**
 * One millrace process that carries out many command lines, one after another: a start of Bun takes
 * half a second in User Mode Linux. On descriptor 3 it reads one line per command, its arguments in
 * JSON, and answers each with a line, its exit status. `program.ts` starts it.
 */
import { readSync, writeSync } from "node:fs";
import { start } from "../../src/cli/start.ts";

const CHANNEL = 3;

/**
 * The next line of the channel; undefined at its end. It blocks: nothing must happen between
 * commands.
 */
function nextLine(): string | undefined {
  const piece = Buffer.alloc(4096);
  let line = "";
  while (!line.endsWith("\n")) {
    const length = readSync(CHANNEL, piece);
    if (length === 0) return undefined;
    line += piece.toString("latin1", 0, length);
  }
  return Buffer.from(line, "latin1").toString();
}

for (;;) {
  const line = nextLine();
  if (line === undefined) break;
  const args: unknown = JSON.parse(line);
  if (!Array.isArray(args)) throw new Error(`expected an array of arguments, found ${line}`);
  writeSync(CHANNEL, `${await start(args.map(String))}\n`);
}
process.exitCode = 0;
