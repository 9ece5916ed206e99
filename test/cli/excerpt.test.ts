import { expect, test } from "bun:test";
import { join } from "node:path";
import { excerpt } from "../../src/cli/excerpt.ts";
import { onTerminal } from "./on-terminal.ts";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

test("text alone, or with a caret below the character that is meant", () => {
  expect(excerpt({ text: "" })).toBe("");
  expect(excerpt({ text: "in_port(1) 2" })).toBe("    in_port(1) 2\n");
  expect(excerpt({ text: "in_port(1) 2", caret: 3 })).toBe("    in_port(1) 2\n       ^\n");
});

test("long text is shortened around that character", () => {
  const text = `${"a".repeat(200)}!${"b".repeat(200)}`;
  const [shown = "", caret = ""] = excerpt({ text, caret: 200 }).split("\n");
  expect(shown.length).toBeLessThan(110);
  expect(shown[caret.indexOf("^")]).toBe("!");
});

test("a terminal of 80 columns breaks neither the line nor the caret", () => {
  const text = `${"a".repeat(200)}!${"b".repeat(200)}`;
  const [shown = "", caret = ""] = excerpt({ text, caret: 200 }, 80).split("\n");
  expect(Bun.stringWidth(shown)).toBe(80);
  expect(shown[caret.indexOf("^")]).toBe("!");
  const [short] = excerpt({ text: text.slice(200), caret: 0 }, 80).split("\n");
  expect(short).toBe(`    !${"b".repeat(40)}…`);
});

test("load shows where a line is wrong, and which part of a flow a rule is about", () => {
  const lines = [
    `in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6),tcp(src=1,dst=70000) 2`,
    "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp() 2",
  ];
  const { stdout } = Bun.spawnSync([MILLRACE, "load", "-", "--dry-run"], {
    stdin: new TextEncoder().encode(lines.join("\n")),
  });
  const shown = stdout.toString().split("\n");
  const carets = shown.flatMap((line, i) => (/^ *\^$/.test(line) ? [i] : []));
  expect(
    carets.map((i) => shown[i - 1]?.slice(shown[i]?.indexOf("^")).replace(/\W.*/, "")),
  ).toEqual(["70000", "tcp"]);
});

test.each(["load - --dry-run", "compile - -o none.set", "load one.txt two.txt"])(
  "what %s says is broken between words on a terminal",
  async (args) => {
    const line = "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(dst=80) 2";
    const terminal = onTerminal(["sh", "-c", `echo '${line}' | ${MILLRACE} ${args}`]);
    expect(await terminal.ended).toBeGreaterThan(0);
    // What the bar of progress drew is cleared.
    const shown = terminal.text.replace(/.*\[2K/, "").split(/\r?\n/);
    expect(shown.filter((row) => Bun.stringWidth(row) > 80)).toEqual([]);
  },
);
