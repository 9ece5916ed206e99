import { writeSync } from "node:fs";
import type { Vm } from "./vm.ts";

/** The size of this process's terminal. */
export function terminalSize(): { rows: number; columns: number } {
  return { rows: process.stdout.rows || 24, columns: process.stdout.columns || 80 };
}

/** Whether this process has a terminal to lend to a guest. */
export function hasTerminal(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

/**
 * Lends this process's terminal to a guest: keys are sent raw, and the guest's terminal turns them
 * into signals. Size changes are passed on. Returns a function that gives the terminal back.
 */
export function attachTerminal(vm: Vm): () => void {
  const keys = (chunk: Uint8Array): void => {
    vm.terminal.write(chunk);
  };
  const resize = (): void => {
    const { rows, columns } = terminalSize();
    vm.control.write(`${rows} ${columns}\n`);
  };
  const screen = (chunk: Uint8Array): void => {
    process.stdout.write(chunk);
  };
  vm.terminal.on("data", screen);
  process.stdin.setRawMode(true);
  process.stdin.on("data", keys);
  process.stdout.on("resize", resize);
  // The size may have changed while the guest booted.
  resize();
  process.stdin.resume();
  return () => {
    process.stdin.off("data", keys);
    process.stdout.off("resize", resize);
    process.stdin.pause();
    process.stdin.setRawMode(false);
    // A full-screen program that was killed may have left the cursor hidden.
    if (process.env["TERM"] !== "dumb") writeSync(1, "\x1b[?25h");
  };
}
