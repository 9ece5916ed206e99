/** `npm run picture`: runs the demo and makes docs/demo.svg of what it prints. */
import { join } from "node:path";
import { ROOT } from "../pack/run.ts";
import { type Piece, terminalSvg } from "./terminal-svg.ts";

const child = Bun.spawn([join(ROOT, "src/cli/millrace"), "demo"], {
  env: { ...process.env, FORCE_COLOR: "1" },
  stdin: "ignore",
  stderr: "inherit",
});
const startedAt = performance.now();
const pieces: Piece[] = [];
const decoder = new TextDecoder();
for await (const chunk of child.stdout) {
  const text = decoder.decode(chunk, { stream: true });
  pieces.push({ text, seconds: (performance.now() - startedAt) / 1000 });
}
if ((await child.exited) !== 0) throw new Error("the demo failed");
await Bun.write(join(ROOT, "docs/demo.svg"), terminalSvg("npm run demo", pieces));
