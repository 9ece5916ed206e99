import { statSync } from "node:fs";
import type { MulticastListener } from "../netlink/multicast.ts";
import { type ChangeEvent, listenToChanges } from "../ovs/events.ts";
import { type DatapathHandle, listDatapaths } from "../ovs/datapath.ts";
import { MillraceError } from "../sys/errors.ts";

// The events for which a continuous sync waits: changes of the file, or of the kernel's flows.

/**
 * How often the file is checked, and how long flows must be unchanged before they are read, since a
 * load changes many.
 */
const LOOK_MS = 200;
const REST_MS = 500;

/** Why it is time to sync again. */
export type SyncCause = "the file changed" | "flows changed" | "time to check";

/** What is watched. */
type WatchOptions = {
  readonly datapath: DatapathHandle;
  readonly file: string;
  /** Seconds after which the datapath is read even without an event: the kernel may lose events. */
  readonly verifyEvery: number;
  readonly signal: AbortSignal;
};

/** Constructed before the first sync, so that changes during it are not missed. */
export class SyncWatch implements Disposable {
  readonly #options: WatchOptions;
  readonly #changes: MulticastListener<ChangeEvent>;
  /**
   * Whether the last sync sent something, but failed. What it did to the kernel's flows, and took
   * back, is then no reason to do it again at once.
   */
  hasFailed = false;
  #version: string | undefined;
  #syncedAt = performance.now();

  constructor(options: WatchOptions) {
    const { datapath, file } = options;
    this.#options = options;
    this.#changes = listenToChanges(datapath.channel, {
      kinds: ["flow", "datapath"],
      datapathIndex: datapath.index,
    });
    this.#version = versionOf(file);
  }

  /**
   * Yields each time another sync is due, until the signal comes. Changes during a sync are
   * reported after it, including those by the sync itself: then the next one finds nothing to send.
   * @throws MillraceError `NO_DATAPATH` when the datapath is deleted
   */
  async *causes(): AsyncGenerator<SyncCause, void> {
    const { file, verifyEvery, signal } = this.#options;
    let changedAt = 0;
    let failure: { readonly error: unknown } | undefined;
    const listening = (async (): Promise<void> => {
      for await (const change of this.#changes.events({ signal })) {
        if (change.kind !== "datapath") changedAt = performance.now();
        else if (change.change === "delete") throw this.#deleted();
      }
    })().catch((error: unknown) => {
      // Kept, as nobody waits for it during a sync.
      if (!signal.aborted) failure = { error };
    });
    while (!signal.aborted) {
      await Promise.race([Bun.sleep(LOOK_MS), listening]);
      if (failure !== undefined) throw failure.error;
      const now = performance.now();
      const version = versionOf(file);
      let cause: SyncCause | undefined;
      if (version !== undefined && version !== this.#version) cause = "the file changed";
      else if (!this.hasFailed && changedAt > this.#syncedAt && now - changedAt > REST_MS) {
        cause = "flows changed";
      }
      if (now - this.#syncedAt > verifyEvery * 1000) cause ??= "time to check";
      if (cause === undefined) continue;
      this.#version = version;
      this.#syncedAt = now;
      yield cause;
    }
    await listening;
  }

  /** After a sync failed. @throws MillraceError `NO_DATAPATH` if the datapath was deleted */
  checkDatapath(): void {
    const { channel, index, name } = this.#options.datapath;
    const found = listDatapaths(channel).find((known) => known.name === name);
    if (found?.index !== index) throw this.#deleted();
  }

  #deleted(): MillraceError {
    const { name } = this.#options.datapath;
    return new MillraceError("NO_DATAPATH", `the datapath ${name} was deleted: the watch ends`);
  }

  [Symbol.dispose](): void {
    this.#changes.close();
  }
}

/**
 * The version of a file, which changes if the file is written or replaced; undefined while there is
 * no file.
 */
function versionOf(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}
