/** A program on a terminal of its own, as a user has it. */
import { limit } from "../runner/limit.ts";

type Size = { readonly cols: number; readonly rows: number };

/** A program that runs on a terminal, and all that it has written there. */
export type OnTerminal = {
  readonly text: string;
  readonly type: (keys: string) => void;
  readonly resize: (size: Size) => void;
  /**
   * Waits until `text` holds this, from `from` on. @throws Error after a while, with the text so
   * far
   */
  readonly shows: (wanted: string | RegExp, from?: number) => Promise<void>;
  readonly ended: Promise<number>;
  readonly kill: () => void;
};

/** Starts a program on a terminal. What decides on colours is as `env` has it, whatever the caller's is. */
export function onTerminal(
  command: readonly string[],
  {
    env = {},
    size = { cols: 80, rows: 24 },
  }: { env?: Readonly<Record<string, string>>; size?: Size } = {},
): OnTerminal {
  const pieces: string[] = [];
  const decoder = new TextDecoder();
  const { NO_COLOR: _, FORCE_COLOR: __, ...own } = process.env;
  const child = Bun.spawn([...command], {
    env: { ...own, TERM: "xterm-256color", ...env },
    terminal: {
      ...size,
      data: (_terminal, data) => void pieces.push(decoder.decode(data, { stream: true })),
    },
  });
  const { terminal } = child;
  if (terminal === undefined) throw new Error("the program has no terminal");
  const text = (): string => pieces.join("");
  return {
    get text() {
      return text();
    },
    type: (keys) => void terminal.write(keys),
    resize: ({ cols, rows }) => terminal.resize(cols, rows),
    shows: async (wanted, from = 0) => {
      const due = performance.now() + limit(30);
      const isThere = (): boolean => {
        const shown = text().slice(from);
        return typeof wanted === "string" ? shown.includes(wanted) : wanted.test(shown);
      };
      while (!isThere()) {
        if (performance.now() > due) throw new Error(`${String(wanted)} is not in ${text()}`);
        await Bun.sleep(5);
      }
    },
    ended: child.exited.then(async (status) => {
      // What was written last may come after the end.
      await Bun.sleep(50);
      terminal.close();
      return status;
    }),
    kill: () => child.kill(),
  };
}
