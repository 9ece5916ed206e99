import { existsSync } from "node:fs";
import { expect, test } from "bun:test";
import { runDpctl } from "../../src/cli/dpctl/run.ts";
import { testUnless } from "../runner/skip.ts";

const HAS_MODULE = existsSync("/sys/module/openvswitch")
  ? "this kernel has the datapath"
  : undefined;

async function dpctl(...args: readonly string[]): Promise<{ out: string; text: string }> {
  let text = "";
  let out = "";
  const status = await runDpctl(args, {
    out: (piece) => void (out += String(piece)),
    error: (piece) => void (text += piece),
  });
  return { out, text: `${status} ${text}` };
}

// As ovs-dpctl exits there; what it says is in its log.
testUnless(HAS_MODULE)(
  "on a kernel without a datapath each command says so, status 1",
  async () => {
    for (const args of [["show"], ["dump-dps"], ["dump-flows"]]) {
      const { out, text } = await dpctl(...args);
      expect(out).toBe("");
      expect(text).toStartWith(
        "1 millrace dpctl: no datapaths exist: this kernel has no Open vSwitch datapath",
      );
      expect(text).toContain("modprobe openvswitch");
    }
  },
);

test("help needs no kernel", async () => {
  expect((await dpctl("help")).out).toContain("\nExamples:\n  millrace dpctl ");
});
