import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { SYSTEM_FOLDERS } from "./environment.ts";
import { lastLines, runTool } from "./tool.ts";

/** A way into a new network namespace on the host's kernel. */
export type HostRoute = { readonly enter: readonly string[]; readonly release: string };

/** The result of probing the host's kernel: a route, or the reason why there is none. */
type HostProbe = { readonly route?: HostRoute; readonly reason: string };

/** Asks the kernel for the datapath's netlink family, which also makes it load the module. */
const PROBE = `if command -v genl >/dev/null; then genl ctrl get name ovs_datapath >/dev/null 2>&1
else [ -e /sys/module/openvswitch ]; fi || exit 42
[ "$(ls -A /sys/class/net 2>/dev/null)" != "" ] || true`;

const PROBE_TIMEOUT_MS = 5000;

/** The possible ways, best first: process and mount namespaces leave nothing behind. */
function entries(): string[][] {
  const isolation = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const user = ["--user", "--map-root-user"];
  const asRoot = [
    ["unshare", ...isolation],
    ["unshare", "--net"],
  ];
  const asUser = [
    ["unshare", ...user, ...isolation],
    ["unshare", ...user, "--net"],
  ];
  return process.getuid?.() === 0 ? [...asRoot, ...asUser] : asUser;
}

/** Looks for a network namespace on the host's kernel in which datapaths can be made. */
export async function probeHost(signal?: AbortSignal): Promise<HostProbe> {
  const env = { PATH: [process.env["PATH"] ?? "", ...SYSTEM_FOLDERS].join(":") };
  const limits = { timeoutMs: PROBE_TIMEOUT_MS, signal, env };
  if (process.getuid?.() === 0 && !existsSync("/sys/module/openvswitch")) {
    // It fails if there is no such module, which the probe below also detects.
    await runTool(["sh", "-c", "modprobe openvswitch"], limits);
  }
  let reason = "";
  for (const enter of entries()) {
    const result = await runTool([...enter, "sh", "-c", PROBE], limits);
    if (result.exitCode === 0) return { route: { enter, release: release() }, reason: "" };
    if (result.exitCode === 42) {
      return {
        reason: `the kernel ${release()} has no openvswitch module${moduleAdvice()}`,
      };
    }
    reason = lastLines(result.stderr, 1) || `unshare ended with status ${result.exitCode}`;
  }
  return { reason: `no network namespace of one's own: ${reason}` };
}

/** Advice for a module that is on disk and only has to be loaded. */
function moduleAdvice(): string {
  try {
    const index = readFileSync(`/lib/modules/${release()}/modules.dep`, "utf8");
    if (index.includes("/openvswitch.ko"))
      return " loaded ('modprobe openvswitch' as root loads it)";
  } catch {
    // There are no modules on disk.
  }
  return "";
}
