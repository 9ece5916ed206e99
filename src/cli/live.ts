import { EndingSignals } from "../sys/signals.ts";
import { outputEnded } from "./output.ts";

/** What ends a live command, beside a signal: options of all of them. */
export type LiveOptions = { count?: number; duration?: number };

/**
 * Gives each event to `show` until enough of them have come, the time is up, a signal asks to end, or
 * nobody reads the output any more. All of these are the ordinary end of a live command: exit status 0.
 */
export async function showLive<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  options: LiveOptions,
  show: (event: T) => void,
): Promise<void> {
  using signals = new EndingSignals();
  const ends = [signals.signal];
  if (options.duration !== undefined) ends.push(AbortSignal.timeout(options.duration * 1000));
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
