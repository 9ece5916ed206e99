import { EndingSignals } from "../sys/signals.ts";
import { outputEnded } from "./output.ts";

/** Options that end a live command. */
export type LiveOptions = { count?: number; duration?: number };

/**
 * Passes each event to `show` until there were enough, the time is up, a signal arrives, or nobody
 * reads the output any more. All of these end a live command normally, with exit status 0.
 */
export async function showLive<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  options: LiveOptions,
  show: (event: T) => void,
): Promise<void> {
  using signals = new EndingSignals();
  const ends = [signals.signal];
  if (options.duration !== undefined)
    ends.push(AbortSignal.timeout(Math.ceil(options.duration * 1000)));
  const signal = AbortSignal.any(ends);
  let shown = 0;
  try {
    for await (const event of open(signal)) {
      show(event);
      shown++;
      if (shown === options.count || outputEnded()) return;
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  }
}
