import { expect, test } from "bun:test";
import { join } from "node:path";
import { onTerminal } from "./on-terminal.ts";

const SOURCE = join(import.meta.dir, "../../src/cli/status-line.ts");

const CLEAR_LINE = "\r\u001b[K";

/** A program that downloads 3 MB and boots something. */
const SCRIPT = `
  const { StatusLine } = await import(${JSON.stringify(SOURCE)});
  using status = new StatusLine("lab: ");
  status.say("downloading linux: 3.0 MB");
  for (let i = 1; i <= 3; i++) status.wait(i + ".0 MB of 3.0 MB");
  status.wait("booting " + "漢".repeat(100));
  status.clear();
  console.log("Linux");
`;

/** What a terminal of so many columns shows of lines that are written over. */
function shownOf(text: string): string[] {
  return text.split("\n").map((line) => line.split(CLEAR_LINE).at(-1)?.trimEnd() ?? "");
}

test("on a terminal a line stands below the others, each in the place of the last, and goes", async () => {
  const terminal = onTerminal([process.execPath, "-e", SCRIPT], { size: { cols: 40, rows: 9 } });
  expect(await terminal.ended).toBe(0);
  const { text } = terminal;
  expect(text).toContain("\r\u001b[Klab: 3.0 MB of 3.0 MB");
  for (const piece of text.replaceAll(CLEAR_LINE, "\n").split("\n")) {
    expect(Bun.stringWidth(piece)).toBeLessThan(40);
  }
  expect(shownOf(text)).toEqual(["lab: downloading linux: 3.0 MB", "Linux", ""]);
});

test.each([["on a dumb terminal"], ["where there is none"]])(
  "%s there are but the lines that stay",
  async (where) => {
    const command = [process.execPath, "-e", SCRIPT];
    let text: string;
    if (where === "where there is none") {
      text = Bun.spawnSync(command).stderr.toString();
    } else {
      const terminal = onTerminal(command, { env: { TERM: "dumb" } });
      await terminal.ended;
      text = terminal.text.replace("Linux\r\n", "").replaceAll("\r", "");
    }
    expect(text).toBe("lab: downloading linux: 3.0 MB\n");
  },
);

test("there it is said from time to time what is waited for, while it is", async () => {
  const script = `
    const { StatusLine } = await import(${JSON.stringify(SOURCE)});
    using status = new StatusLine("lab: ", 50);
    status.wait("booting");
    await Bun.sleep(400);
    status.clear();
    await Bun.sleep(200);
  `;
  const lines = Bun.spawnSync([process.execPath, "-e", script]).stderr.toString().split("\n");
  expect(new Set(lines)).toEqual(new Set(["lab: booting", ""]));
  expect(lines.length).toBeLessThan(11);
});
