import { release } from "node:os";
import { LabError } from "../lab/error.ts";
import { planUmlMemory } from "../lab/memory.ts";
import { REPLY_COST_BYTES } from "../netlink/reply-cost.ts";
import { OvsChannel } from "../ovs/channel.ts";
import { vswitchdProcesses, readText } from "../ovs/vswitchd.ts";
import { MillraceError } from "../sys/errors.ts";
import { iovMax } from "../sys/libc.ts";
import { OVS_DATAPATH_FAMILY } from "../uapi/openvswitch.ts";
import { type Check, checkFeatures } from "./doctor-features.ts";
import { bytes, count, counted } from "./output.ts";

// The checks of `millrace doctor`.

const CAP_NET_ADMIN = 12;

/** The replies to one batch with the default packing. */
const REPLIES_WANTED = 4096;

/** The memory that a lab needs for a million flows. */
const LAB_MIB_GOOD = 2048;

/** Checks everything that a load or a lab needs. Makes no lasting changes. */
export function checkAll(): Check[] {
  return [
    checkKernel(),
    ...reported("Open vSwitch datapath", checkModule),
    checkRights(),
    ...checkFeatures(),
    ...reported("netlink socket", checkSocket),
    checkVswitchd(),
    checkLabMemory(),
    checkLabPackages(),
    checkCompiler(),
  ];
}

/** Runs a check; if it throws, reports why. A report has a line for each check. */
export function reported(what: string, check: () => Check | Check[]): Check[] {
  try {
    return [check()].flat();
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return [{ what, verdict: "lacking", found: error.message }];
  }
}

function checkKernel(): Check {
  return { what: "kernel", verdict: "ok", found: `${release()}, ${process.arch}` };
}

function checkModule(): Check {
  const what = "Open vSwitch datapath";
  try {
    using channel = new OvsChannel();
    const { version } = channel.family(OVS_DATAPATH_FAMILY);
    return {
      what,
      verdict: "ok",
      found: `netlink family ${OVS_DATAPATH_FAMILY}, version ${version}`,
    };
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "NO_MODULE") throw error;
    return {
      what,
      verdict: "lacking",
      found: "this kernel has none",
      remedy: "sudo modprobe openvswitch; or work in a throw-away kernel: millrace lab shell",
    };
  }
}

function checkRights(): Check {
  const what = "right to change it";
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status"));
  const effective = Number.parseInt(match?.[1]?.slice(-8) ?? "0", 16);
  if (((effective >>> CAP_NET_ADMIN) & 1) === 1) {
    const first = /^\s*0\s+0\s+4294967295\s*$/.test(readText("/proc/self/uid_map"));
    const where = first ? "" : ", in a user namespace: buffers stay under the sysctl limits";
    return { what, verdict: first ? "ok" : "note", found: `CAP_NET_ADMIN${where}` };
  }
  return {
    what,
    verdict: "lacking",
    found: "no CAP_NET_ADMIN: datapaths can be read, not changed",
    remedy: "sudo; or a network namespace of your own: unshare -rn",
  };
}

function checkSocket(): Check[] {
  using channel = new OvsChannel();
  using socket = channel.openSocket();
  const replies = Math.floor(socket.receiveBufferBytes / REPLY_COST_BYTES);
  const enough = replies >= REPLIES_WANTED;
  const limit = readText("/proc/sys/net/core/rmem_max").trim();
  return [
    {
      what: "receive buffer",
      verdict: enough ? "ok" : "note",
      found:
        `${bytes(socket.receiveBufferBytes)}: replies to ${counted(replies, "flow")} per batch` +
        (enough ? "" : ` (net.core.rmem_max is ${limit}); batches are smaller`),
      ...(enough ? {} : { remedy: "sudo sysctl net.core.rmem_max=4194304; or run as root" }),
    },
    {
      what: "send buffer",
      verdict: "ok",
      found: `datagrams up to ${bytes(socket.datagramBytesMax)}`,
    },
    { what: "max_iovs", verdict: "ok", found: `${iovMax()} transactions per writev` },
  ];
}

function checkVswitchd(): Check {
  const what = "ovs-vswitchd";
  using channel = new OvsChannel();
  if (vswitchdProcesses(channel).length === 0) {
    return {
      what,
      verdict: "ok",
      found: "not running in this network namespace: nobody else changes the flows",
    };
  }
  return {
    what,
    verdict: "note",
    found: "running: it deletes unknown flows within seconds",
    remedy: "load into a datapath of your own (millrace dp add), not into ovs-system",
  };
}

function checkLabMemory(): Check {
  const what = "lab: memory";
  try {
    const { mebibytes, folder } = planUmlMemory(undefined);
    const found = `a guest gets ${count(mebibytes)} MiB, in ${folder}`;
    if (mebibytes >= LAB_MIB_GOOD) return { what, verdict: "ok", found };
    const remedy = "TMPDIR=FOLDER with 2 GiB free and no noexec, and as much memory";
    return { what, verdict: "note", found, remedy };
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    const [found = ""] = error.message.split("\n");
    return { what, verdict: "lacking", found, remedy: error.remedy };
  }
}

function checkLabPackages(): Check {
  const what = "lab: packages";
  const missing = ["apt-get", "dpkg-deb"].filter((name) => Bun.which(name) === null);
  if (missing.length === 0) {
    const qemu = Bun.which("qemu-system-x86_64") === null ? "not installed" : "installed";
    return { what, verdict: "ok", found: `apt can fetch User Mode Linux; QEMU is ${qemu}` };
  }
  return {
    what,
    verdict: "note",
    found: `${missing.join(", ")} missing: no throw-away kernel can be fetched`,
    remedy: "a Debian or Ubuntu machine; or the host's own module",
  };
}

function checkCompiler(): Check {
  const found = Bun.which("gcc") ?? Bun.which("cc");
  return found === null
    ? {
        what: "C compiler",
        verdict: "note",
        found: "none: the benchmark leaves out the kernel's limit",
        remedy: "sudo apt-get install gcc libc6-dev",
      }
    : { what: "C compiler", verdict: "ok", found };
}
