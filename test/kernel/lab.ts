import { readFileSync } from "node:fs";
import { OvsChannel } from "../../src/ovs/channel.ts";
import {
  createDatapath,
  type DatapathHandle,
  type DatapathInfo,
  deleteDatapath,
  handleOf,
  infoOf,
  listDatapaths,
} from "../../src/ovs/datapath.ts";
import { addPort } from "../../src/ovs/vport.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { lacks } from "../runner/skip.ts";

export { MILLRACE, millrace, millraceProcess } from "./program.ts";

/**
 * A datapath for one test, with internal ports 1 and 2 (`NAMEp1`, `NAMEp2`); gone when the test
 * ends.
 */
export class TestDatapath implements Disposable {
  readonly channel: OvsChannel = new OvsChannel();
  readonly name: string;
  readonly handle: DatapathHandle;

  constructor(name = "test0") {
    this.name = name;
    if (listDatapaths(this.channel).some((dp) => dp.name === name))
      deleteDatapath(this.channel, name);
    this.handle = handleOf(this.channel, createDatapath(this.channel, name));
    addPort(this.handle, `${name}p1`, { type: "internal" });
    addPort(this.handle, `${name}p2`, { type: "internal" });
  }

  /** As the kernel describes it now. */
  get info(): DatapathInfo {
    return infoOf(this.handle);
  }

  /** Flows that the kernel counts. */
  get flows(): number {
    return this.info.stats.flows;
  }

  [Symbol.dispose](): void {
    if (listDatapaths(this.channel).some((dp) => dp.name === this.name)) {
      deleteDatapath(this.channel, this.name);
    }
    this.channel[Symbol.dispose]();
  }
}

/** The output of a program, as an independent witness. @throws Error if it fails */
export function witness(...command: readonly string[]): string {
  const child = Bun.spawnSync([...command], { stdout: "pipe", stderr: "pipe" });
  if (child.exitCode !== 0) {
    throw new Error(`${command.join(" ")}: exit ${child.exitCode}: ${child.stderr.toString()}`);
  }
  return child.stdout.toString();
}

/** Why there is no ovs-dpctl to compare with: Debian's packages may be out of reach. */
export const NO_DPCTL: string | undefined = lacks("ovs-dpctl");
export const HAS_DPCTL: boolean = NO_DPCTL === undefined;

/** Whether the kernel is User Mode Linux 6.1, which lacks what Debian's 6.12 has. */
export const IS_UML: boolean = readFileSync("/proc/cpuinfo", "utf8").includes("User Mode Linux");

/** A flow's time of use is in jiffies, of 10 ms at most, from which `ovs_flow_used_time` counts back. */
export const JIFFIES_MS = 20;

/**
 * The error that `run` throws; undefined if it does not throw. @throws errors that are not a
 * MillraceError
 */
export function failure(run: () => unknown): MillraceError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
}
