import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The interval of updates, for a human reader. */
const INTERVAL_MS = 250;

/** Reports repeatedly how many bytes a folder has, until the object is disposed of. */
export function watchBytes(folder: string, tell: (bytes: number) => void): Disposable {
  const timer = setInterval(() => tell(bytesIn(folder)), INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Bytes of the files in a folder and below it. */
function bytesIn(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) bytes += bytesIn(path);
      else bytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
    }
  } catch {
    // Files come and go meanwhile; their writer reports errors.
  }
  return bytes;
}

/** A number of bytes as text: `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
