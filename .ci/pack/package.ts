/** `npm run build`, and what `npm pack` runs first: makes of the source what only the packed package has, in dist. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as library from "../../src/index.ts";
import * as netlink from "../../src/netlink/index.ts";
import { bundleCommands } from "./commands.ts";
import * as testing from "../../src/testing/index.ts";
import { emitDeclarations } from "./declarations.ts";
import { nodeStub } from "./node-stub.ts";
import { writeThreads } from "./threads.ts";

const DIST = join(import.meta.dir, "../../dist");

for (const made of ["types", "node"]) {
  rmSync(join(DIST, made), { recursive: true, force: true });
}
mkdirSync(join(DIST, "node"), { recursive: true });
writeFileSync(join(DIST, "node/index.js"), nodeStub(Object.keys(library)));
writeFileSync(join(DIST, "node/netlink.js"), nodeStub(Object.keys(netlink)));
writeFileSync(join(DIST, "node/testing.js"), nodeStub(Object.keys(testing)));
await writeThreads(join(DIST, "threads.js"));
await bundleCommands(join(DIST, "cli"));
emitDeclarations(join(DIST, "types"));
