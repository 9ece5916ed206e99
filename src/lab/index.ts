import { LabError } from "./error.ts";
import { probeHost } from "./host.ts";
import { resolveOptions, type LabOptions, type ResolvedOptions } from "./options.ts";
import { cachedPeers } from "./peers.ts";
import { runOnHost } from "./run-host.ts";
import { runInQemu } from "./run-qemu.ts";
import { runInUml } from "./run-uml.ts";
import { sweepRuns } from "./runs.ts";
import type { SessionResult } from "./session.ts";

export { LabError, type LabErrorCode } from "./error.ts";
export { type Cleaned, cleanLabs } from "./clean.ts";
export { type Cached, listLabs, type KernelOffer, type LabList } from "./list.ts";
export { LAB_PEERS, peerPath } from "./peers.ts";
export { LAB_KERNELS, type LabKernel, type LabOptions } from "./options.ts";
export type { InputSource } from "./input.ts";
export type { OutputTarget } from "./streams.ts";

/** The result of a command in a lab. */
export type LabResult = SessionResult & { readonly kernel: "host" | "uml" | "qemu" };

/**
 * Runs a command on a kernel that has the Open vSwitch datapath, in a separate network.
 *
 * Throws {@link LabError} if no kernel is available or it fails; a failed command is a result.
 */
export async function runInLab(options: LabOptions): Promise<LabResult> {
  const resolved = resolveOptions(options);
  switch (resolved.kernel) {
    case "host":
      return onHost(resolved);
    case "uml":
      return inUml(resolved);
    case "qemu":
      return inQemu(resolved);
    default:
      return onAny(resolved);
  }
}

async function onHost(options: ResolvedOptions): Promise<LabResult> {
  if (options.readOnly) {
    throw new LabError(
      "USAGE",
      "the host's own kernel cannot keep what is written from its disk",
      "'--kernel uml' and '--kernel qemu' can",
    );
  }
  const { route, reason } = await probeHost(options.signal);
  if (route === undefined) {
    throw new LabError(
      "UNAVAILABLE",
      `the host's kernel cannot be the lab: ${reason}`,
      "'modprobe openvswitch' as root loads the module where there is one; '--kernel uml' needs neither",
    );
  }
  return { ...(await runOnHost(route, options, cachedPeers())), kernel: "host" };
}

async function inUml(options: ResolvedOptions): Promise<LabResult> {
  sweepRuns();
  return { ...(await runInUml(options)), kernel: "uml" };
}

async function inQemu(options: ResolvedOptions): Promise<LabResult> {
  sweepRuns();
  return { ...(await runInQemu(options)), kernel: "qemu" };
}

/** The host's kernel, which is the fastest, if it has the datapath; otherwise User Mode Linux. */
async function onAny(options: ResolvedOptions): Promise<LabResult> {
  const { route, reason } = options.readOnly
    ? { reason: "it writes to its disk" }
    : await probeHost(options.signal);
  if (route !== undefined) {
    return { ...(await runOnHost(route, options, cachedPeers())), kernel: "host" };
  }
  try {
    return await inUml(options);
  } catch (error) {
    if (!(error instanceof LabError) || error.code === "ABORTED" || error.code === "GUEST") {
      throw error;
    }
    throw new LabError(
      error.code,
      `no lab can be had here.\nThe host's own kernel: ${reason}.\nUser Mode Linux: ${error.message}`,
      "Either load openvswitch on this machine ('modprobe openvswitch' as root), or mend what User Mode Linux lacks,\nor use '--kernel qemu' with qemu-system-x86 installed.",
      { cause: error },
    );
  }
}
