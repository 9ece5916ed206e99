import { expect, test } from "bun:test";
import { MILLRACE } from "../lab/harness.ts";
import { onTerminal } from "./on-terminal.ts";

test.each([
  "sync nofile --dp none",
  "sync /dev/null --previous nofile --dp none",
  "verify nofile --dp none",
  "restore nofile --dp none",
  "diff nofile dp:none",
  "diff dp:none nofile",
])("%s: a file that is missing is found before the datapath is looked for", (command) => {
  const { exitCode, stderr } = Bun.spawnSync([MILLRACE, ...command.split(" ")], {
    stdin: "ignore",
    stderr: "pipe",
  });
  expect([exitCode, stderr.toString()]).toEqual([
    2,
    "millrace: cannot read nofile: there is no such file (a datapath is written dp:nofile)\n",
  ]);
});

test.each(["diff - /dev/null", "restore - --dp none"])(
  "%s asks who is to type, and ends at SIGTERM",
  async (command) => {
    const run = onTerminal([MILLRACE, ...command.split(" ")]);
    await run.shows("reading flows from this terminal");
    run.kill();
    expect(await run.ended).toBe(4);
  },
);
