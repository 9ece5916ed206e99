import { accessSync, constants, existsSync } from "node:fs";
import { SYSTEM_FOLDERS } from "./environment.ts";
import { LabError } from "./error.ts";
import type { GuestChannels } from "./guest.ts";
import { shellQuote } from "./tool.ts";
import { VM_FD } from "./vm.ts";

/**
 * The ports of a QEMU guest: a console for the terminal, plain ones for streams. The ports are the
 * second virtio device; the file system is the first.
 */
export const QEMU_CHANNELS: GuestChannels = {
  terminal: "/dev/hvc0",
  output: "/dev/vport1p1",
  error: "/dev/vport1p2",
  control: "/dev/vport1p3",
};

/** How QEMU runs the guest's code: on the processor itself, or by emulation. */
export type Accelerator = "kvm" | "tcg";

/** The programs of the host that the lab needs. */
export type QemuPrograms = { readonly qemu: string; readonly virtiofsd: string };

const INSTALL =
  "as root: apt-get install -y --no-install-recommends qemu-system-x86 (on Debian 13 virtiofsd too)";

/** Finds QEMU and the server of its file system. Throws {@link LabError} with what to install. */
export function findQemu(): QemuPrograms {
  const path = [process.env["PATH"] ?? "", ...SYSTEM_FOLDERS].join(":");
  const qemu = Bun.which("qemu-system-x86_64", { PATH: path });
  if (qemu === null) {
    throw new LabError("UNAVAILABLE", "QEMU is not installed (no qemu-system-x86_64)", INSTALL);
  }
  // Debian 12 has it among QEMU's files, Debian 13 as a package; both are not in PATH.
  const places = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"];
  const virtiofsd =
    places.find((file) => existsSync(file)) ?? Bun.which("virtiofsd", { PATH: path });
  if (virtiofsd === null) {
    throw new LabError("UNAVAILABLE", "QEMU's virtiofsd is not installed", INSTALL);
  }
  return { qemu, virtiofsd };
}

/** Whether this user may open /dev/kvm, which does not prove that a guest runs. */
export function kvmOpens(): boolean {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The parameters of a QEMU. */
type QemuBoot = QemuPrograms & {
  readonly accelerator: Accelerator;
  readonly kernel: string;
  readonly mebibytes: number;
  readonly processors: number;
  /** The run's folder. */
  readonly folder: string;
  readonly init: string;
  readonly root: "ro" | "rw";
};

/**
 * A script, for the run's folder, that serves the host's tree by virtiofs and starts QEMU on it.
 * Both stay in its process group.
 */
export function qemuCommand(boot: QemuBoot): string[] {
  return ["/bin/sh", "-c", startScript(boot), "qemu", ...qemuWords(boot)];
}

function startScript(boot: QemuBoot): string {
  // virtiofsd requires a pid file below /run, and root's privileges over the served files: separate
  // namespaces give it both.
  const serve = `mount -t tmpfs run /run && mkdir -p /run/virtiofsd /run/lock
exec ${shellQuote(boot.virtiofsd)} --socket-path=fs.sock -o source=/ -o cache=auto -o sandbox=chroot`;
  const user = process.getuid?.() === 0 ? "" : "--user --map-root-user ";
  return `unshare ${user}--mount sh -c ${shellQuote(serve)} 3<&- 5<&- 6>&- 7>&- &
tries=0
while [ ! -S fs.sock ]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] && kill -0 $! 2>/dev/null || { echo "virtiofsd did not start"; exit 1; }
  sleep 0.05
done
exec "$@"
`;
}

/** QEMU's own command line. */
export function qemuWords(boot: QemuBoot): string[] {
  const kernelWords = [
    "rootfstype=virtiofs",
    "root=host",
    boot.root,
    `init=${boot.init}`,
    "console=ttyS0",
    "quiet",
    "panic=-1",
  ];
  return [
    boot.qemu,
    "-nodefaults -nographic -no-reboot -machine q35",
    boot.accelerator === "kvm" ? "-accel kvm -cpu host" : "-accel tcg,thread=multi -cpu max",
    `-smp ${boot.processors} -m ${boot.mebibytes}`,
    // The file system's server reads and writes the guest's memory.
    `-object memory-backend-memfd,id=memory,size=${boot.mebibytes}M,share=on`,
    "-numa node,memdev=memory",
    "-chardev socket,id=files,path=fs.sock -device vhost-user-fs-pci,chardev=files,tag=host",
    "-device virtio-serial-pci",
    `-chardev socket,id=terminal,fd=${VM_FD.terminal} -device virtconsole,chardev=terminal,nr=0`,
    `-chardev socket,id=output,fd=${VM_FD.output} -device virtserialport,chardev=output,nr=1`,
    `-chardev socket,id=error,fd=${VM_FD.error} -device virtserialport,chardev=error,nr=2`,
    `-chardev socket,id=control,fd=${VM_FD.control} -device virtserialport,chardev=control,nr=3`,
    // The kernel's messages go to the log.
    "-serial stdio",
  ]
    .flatMap((words, index) => (index === 0 ? [words] : words.split(" ")))
    .concat("-kernel", boot.kernel, "-append", kernelWords.join(" "));
}
