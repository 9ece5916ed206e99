import type { LoadProgress } from "../load/load.ts";
import { isatty } from "../sys/libc.ts";
import { count } from "./output.ts";

/** A progress bar on standard error, or nothing where that is no terminal. */
export async function loadProgressBar(
  wanted: boolean,
): Promise<Disposable & { readonly update: (progress: LoadProgress) => void }> {
  if (!wanted || !isatty(2)) {
    return { update: () => undefined, [Symbol.dispose]: () => undefined };
  }
  const { SingleBar } = await import("cli-progress");
  const bar = new SingleBar({
    stream: process.stderr,
    format: "{bar} {percentage}% | {flows} flows, {failures} failed | {duration_formatted}",
    hideCursor: true,
    clearOnComplete: true,
    // The load calls often enough by itself: a timer would only run between its slices.
    synchronousUpdate: true,
  });
  let running = false;
  return {
    update: ({ bytesRead, bytesTotal, flows, failures }) => {
      if (!running) bar.start(bytesTotal ?? 0, 0, { flows: "0", failures: "0" });
      running = true;
      if (bytesTotal === undefined) bar.setTotal(bytesRead);
      bar.update(bytesRead, { flows: count(flows), failures: count(failures) });
    },
    [Symbol.dispose]: () => {
      if (running) bar.stop();
      running = false;
    },
  };
}
