import type { LoadProgress } from "../load/load.ts";
import { count, counted } from "./output.ts";
import { canDraw } from "./terminal.ts";

/** The longest and the shortest bar, and the room for the text beside it. */
const BAR_MAX = 40;
const BAR_MIN = 5;
const TEXT_COLUMNS = 62;

/** The time before which the rate of a load is unknown. */
const RATE_MS_MIN = 200;

/** A progress bar on standard error; none if that is not a terminal that can draw. */
export async function loadProgressBar(
  wanted: boolean,
): Promise<Disposable & { readonly update: (progress: LoadProgress) => void }> {
  if (!wanted || !canDraw(2)) {
    return { update: () => undefined, [Symbol.dispose]: () => undefined };
  }
  const { SingleBar } = await import("cli-progress");
  let startedAt = 0;
  let latest: LoadProgress | undefined;
  const line = (): string =>
    latest === undefined
      ? ""
      : progressLine(latest, performance.now() - startedAt, process.stderr.columns ?? 80);
  const bar = new SingleBar({
    stream: process.stderr,
    format: line,
    hideCursor: true,
    clearOnComplete: true,
    // The load calls often enough; a timer would only run between its slices.
    synchronousUpdate: true,
  });
  return {
    update: (progress) => {
      if (latest === undefined) {
        startedAt = performance.now();
        bar.start(progress.bytesTotal ?? 0, 0);
      }
      latest = progress;
      bar.update(progress.bytesRead);
    },
    [Symbol.dispose]: () => {
      if (latest !== undefined) bar.stop();
      latest = undefined;
    },
  };
}

/** The progress of a load after `elapsedMs`, in a line of at most `columns` if possible. */
export function progressLine(
  { bytesRead, bytesTotal, flows, failures }: LoadProgress,
  elapsedMs: number,
  columns: number,
): string {
  const known = elapsedMs >= RATE_MS_MIN;
  const rate = known ? `, ${count(Math.round((flows * 1000) / elapsedMs))}/s` : "";
  const failed = failures === 0 ? "" : `, ${count(failures)} failed`;
  const text = `${counted(flows, "flow")}${rate}${failed}`;
  // The end of a stream is unknown, so the elapsed time is shown.
  if (bytesTotal === undefined || bytesTotal === 0) return `${text} | ${timeText(elapsedMs)}`;
  const part = Math.min(1, bytesRead / bytesTotal);
  const length = Math.max(BAR_MIN, Math.min(BAR_MAX, columns - TEXT_COLUMNS));
  const done = Math.round(part * length);
  const bar = "█".repeat(done) + "░".repeat(length - done);
  const left = known && part > 0 ? ` | ${timeText((elapsedMs * (1 - part)) / part)} left` : "";
  return `${bar} ${String(Math.floor(part * 100)).padStart(3)}% | ${text}${left}`;
}

/** 83,000 ms as `1 min 23 s`. */
function timeText(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
