import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DOCUMENTS } from "../docs/blocks.ts";
import { DocumentRun, programsOf } from "../docs/document-run.ts";
import { limit } from "../runner/limit.ts";
import { witness } from "./lab.ts";
import { Vswitchd } from "./vswitchd.ts";

/*
 * Every block of README and docs that can run, in a lab. Those that boot a lab of their own are for
 * test/docs/documents.test.ts.
 */

setDefaultTimeout(limit(120));

/** A document's datapaths and interfaces are its own, and gone with it. */
const NAMESPACE = "document";

/** The commands that any machine has, as busybox has them. */
const APPLETS = join(tmpdir(), "applets");

beforeAll(() => {
  mkdirSync(APPLETS);
  witness("busybox", "--install", "-s", APPLETS);
});

for (const document of DOCUMENTS) {
  const programs = programsOf(document, "lab");
  if (programs.length === 0) continue;
  describe(document, () => {
    const open = new DisposableStack();
    let run: DocumentRun;
    beforeAll(() => {
      witness("ip", "netns", "add", NAMESPACE);
      open.defer(() => witness("ip", "netns", "del", NAMESPACE));
      witness("ip", "-n", NAMESPACE, "link", "set", "lo", "up");
      const daemon = programs.some(({ text }) => text.includes("ovs-vsctl"));
      const environment = daemon ? open.use(new Vswitchd()).environment : {};
      run = open.use(
        new DocumentRun(document, {
          around: ["busybox", "nsenter", `--net=/run/netns/${NAMESPACE}`],
          environment: { ...environment, PATH: `${process.env["PATH"]}:${APPLETS}` },
        }),
      );
    });
    afterAll(() => open.dispose());
    // What a block leaves is what the next one begins with.
    for (const block of programs) test(`line ${block.line}`, () => void run.run(block));
  });
}
