import { statSync } from "node:fs";
import type { MulticastListener } from "../netlink/multicast.ts";
import { type ChangeEvent, listenToChanges } from "../ovs/events.ts";
import type { DatapathHandle } from "../ovs/datapath.ts";

// What a sync that goes on waits for: a file that changes, or flows of the kernel that do.

/** How often it is looked, and how long flows have to rest before they are read: a load changes many. */
const LOOK_MS = 200;
const REST_MS = 500;

/** Why it is time to sync again. */
type SyncCause = "the file changed" | "flows changed" | "it is time to look";

/** What is watched. */
type WatchOptions = {
  readonly datapath: DatapathHandle;
  readonly file: string;
  /** Seconds after which the datapath is read, though nothing was heard: the kernel may lose what it tells. */
  readonly verifyEvery: number;
  readonly signal: AbortSignal;
};

/** Made before the first sync: what happens beside it is not missed. */
export class SyncWatch implements Disposable {
  readonly #options: WatchOptions;
  readonly #changes: MulticastListener<ChangeEvent>;
  #version: string | undefined;
  #syncedAt = performance.now();

  constructor(options: WatchOptions) {
    const { datapath, file } = options;
    this.#options = options;
    this.#changes = listenToChanges(datapath.channel, {
      kinds: ["flow"],
      datapathIndex: datapath.index,
    });
    this.#version = versionOf(file);
  }

  /**
   * Tells each time that it is time to sync again, until the signal comes. What happens while the caller syncs is
   * told after that, what the sync itself did as well: the next one finds nothing to send.
   */
  async *causes(): AsyncGenerator<SyncCause, void> {
    const { file, verifyEvery, signal } = this.#options;
    let changedAt = 0;
    const listening = (async (): Promise<void> => {
      for await (const _ of this.#changes.events({ signal })) changedAt = performance.now();
    })().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    while (!signal.aborted) {
      await Promise.race([Bun.sleep(LOOK_MS), listening]);
      const now = performance.now();
      const version = versionOf(file);
      let cause: SyncCause | undefined;
      if (version !== undefined && version !== this.#version) cause = "the file changed";
      else if (changedAt > this.#syncedAt && now - changedAt > REST_MS) cause = "flows changed";
      else if (now - this.#syncedAt > verifyEvery * 1000) cause = "it is time to look";
      if (cause === undefined) continue;
      this.#version = version;
      this.#syncedAt = now;
      yield cause;
    }
    await listening;
  }

  [Symbol.dispose](): void {
    this.#changes.close();
  }
}

/** Another one where the file was written, or another file has its name; undefined where there is none for now. */
function versionOf(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}
