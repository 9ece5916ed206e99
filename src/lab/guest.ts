import { shellQuote } from "./tool.ts";

/**
 * How a guest gets its command's input: as pieces in a folder that both sides see, announced over
 * the control channel, or from a file that the guest opens itself.
 *
 * A User Mode Linux serial line reads its input a byte at a time (chan_interrupt), 1 MB/s; pieces
 * are ten times as fast. Output has no such limit.
 */
type GuestInput = "ignore" | { readonly spool: string } | { readonly file: string };

/** The job of a guest, as its scripts need it. */
export type GuestJob = {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: GuestInput;
  /** Rows and columns, if the command gets a terminal instead of three streams. */
  readonly terminal?: { readonly rows: number; readonly columns: number } | undefined;
};

/** The character devices through which a guest communicates with the host. */
export type GuestChannels = {
  /** Both ways, as a terminal. */
  readonly terminal: string;
  /** Out of the guest only. */
  readonly output: string;
  readonly error: string;
  /** Both ways, line by line. */
  readonly control: string;
};

/** A kernel with its modules and its shell on disk. */
export type GuestTree = {
  /** The folder that holds it all. */
  readonly folder: string;
  readonly kernel: string;
  /** The output of `uname -r` in the guest. */
  readonly release: string;
  /** The folder with modules.dep and the module files. */
  readonly modules: string;
  /** The module index as the guest's modprobe reads it. */
  readonly index: string;
  readonly busybox: string;
  /** A folder of links to busybox, one per command, for commands that the host lacks. */
  readonly applets: string;
};

/** The folder in the guest's memory that becomes TMPDIR. */
export const GUEST_TMPDIR = "/run/tmp";

/**
 * Mounts the file systems that every guest needs; the root is already mounted.
 *
 * busybox's shell runs its own commands through /proc/self/exe, which is the host's until the guest
 * has a /proc of its own: the first mount names busybox itself.
 */
export function mountScript(busybox: string): string {
  return `${shellQuote(busybox)} mount -t proc proc /proc || exit 1
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 run /run
grep -q ' /dev devtmpfs ' /proc/mounts || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /run/lab /run/lock ${GUEST_TMPDIR}
mount -t devpts -o ptmxmode=666,mode=620 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
chmod 1777 ${GUEST_TMPDIR} /run/lock
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
`;
}

/**
 * Covers the host's file system, which is mounted read-only, with an overlay in memory: writes stay
 * in the guest. The old root is then hidden, and so are the file systems of {@link mountScript},
 * which runs next.
 * @param files the module overlay and what it needs, in load order
 */
export function overlayScript(busybox: string, files: readonly string[]): string {
  const own = shellQuote(busybox);
  return `${own} mount -t proc proc /proc || exit 1
mount -t tmpfs -o mode=755 run /run || exit 1
mkdir /run/upper /run/work /run/root
for file in ${files.map(shellQuote).join(" ")}; do insmod "$file" || exit 1; done
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work root /run/root || exit 1
cd /run/root && mkdir .before && pivot_root . .before && cd / || exit 1
${own} umount -l /.before
${own} rmdir /.before
`;
}

/** Brings up the network and the datapath. `files` are module files in load order. */
export function networkScript(files: readonly string[], modprobe: string): string {
  return `for file in ${files.map(shellQuote).join(" ")}; do insmod "$file" || exit 1; done
echo ${shellQuote(modprobe)} >/proc/sys/kernel/modprobe
hostname millrace
ip link set lo up
`;
}

/** The command with its folder and environment, as a script of busybox's shell. */
export function jobScript(job: GuestJob): string {
  const env = Object.entries(job.env).map(([name, value]) => shellQuote(`${name}=${value}`));
  const words = job.command.map(shellQuote);
  // `env` finds the program by the new PATH, and passes names that no shell could export. Not
  // busybox's `env`, which would run its own `sh` for the command `sh`.
  return `cd ${shellQuote(job.cwd)} || exit 125
exec /usr/bin/env -i ${[...env, ...words].join(" ")}
`;
}

/**
 * Runs the job script between the channels, then reports its exit status and waits for the end.
 *
 * Descriptor 5 is the control channel. It is opened once: some devices can only be open once at a
 * time.
 */
export function relayScript(job: GuestJob, channels: GuestChannels, jobPath: string): string {
  const lines =
    job.terminal === undefined
      ? streamLines(job.stdin, channels, jobPath)
      : terminalLines(job.terminal, channels, jobPath);
  // A device that is detected while the kernel starts may appear late.
  const devices = [channels.output, channels.error, channels.control];
  return `${devices.map((path) => `until [ -c ${path} ]; do sleep 0.02; done\n`).join("")}exec 5<>${channels.control}
[ ! -t 5 ] || stty -echo -onlcr <&5
relays=
${lines.join("\n")}
sync
echo "exit $status" >&5
while :; do sleep 1000; done
`;
}

const STARTED = 'echo "started $(uname -r)" >&5';

/** Ends processes that the command left running; otherwise its output would never end. */
const FINISH = `for process in /proc/[0-9]*; do
  process=\${process#/proc/}
  case " 1 $relays " in *" $process "*) ;; *) kill -9 "$process" 2>/dev/null ;; esac
done
[ -z "$relays" ] || wait $relays`;

/**
 * Opens the pipe `name` as descriptors for its reader and its writer. It is opened both ways first:
 * opening one end of a pipe waits for the other, and a signal ends that wait with an error.
 */
function pipeLine(name: string, reader: number, writer: number): string {
  const path = `/run/lab/${name}`;
  return `mkfifo ${path} && exec 4<>${path} ${writer}>${path} ${reader}<${path} 4>&-`;
}

/** Three pipes for the command, so that no terminal processes its bytes. */
function streamLines(input: GuestInput, channels: GuestChannels, jobPath: string): string[] {
  const lines: string[] = [];
  const { output, error } = channels;
  // The command's ends are 6 and 7, and 9 for its input.
  lines.push(
    ...relayLines("out", 6, output),
    ...relayLines("err", 7, error),
    input === "ignore" ? "exec 9</dev/null" : inputLines(input),
    STARTED,
    // Redirected outside; otherwise the shell prints "Killed" to the command's error stream.
    `( exec setsid sh ${shellQuote(jobPath)} ) <&9 >&6 2>&7 5>&- 6>&- 7>&- 9<&-`,
    "status=$?",
    "exec 6>&- 7>&-",
    FINISH,
  );
  // Changing a line's settings waits for its pending output.
  for (const channel of [output, error]) {
    lines.push(`[ ! -t 0 ] <${channel} || stty raw <${channel}`);
  }
  return lines;
}

/** Copies the command's output to `writer` out of the guest. */
function relayLines(name: string, writer: number, channel: string): string[] {
  return [
    `[ ! -t 0 ] <${channel} || stty raw -echo <${channel}`,
    pipeLine(name, 9, writer),
    `cat <&9 >${channel} 5>&- 6>&- 7>&- 9<&- & relays="$relays $!"`,
    "exec 9<&-",
  ];
}

/** Opens the command's input; the host's pieces are copied to a pipe as they come. */
function inputLines(input: Exclude<GuestInput, "ignore">): string {
  if ("file" in input) return `exec 9<${shellQuote(input.file)}`;
  const piece = `${shellQuote(input.spool)}."$piece"`;
  return `${pipeLine("in", 9, 3)}
{ while read -r piece <&5 && [ "$piece" != end ]; do
  cat ${piece} || exit
  rm ${piece}
  echo "took $piece" >&5
done; } >&3 3>&- 6>&- 7>&- 9<&- &
exec 3>&-`;
}

/** A terminal for the command; lines from the host carry its new size. */
function terminalLines(
  size: { readonly rows: number; readonly columns: number },
  channels: GuestChannels,
  jobPath: string,
): string[] {
  return [
    // It stays open from here on: a terminal forgets its size with its last close.
    `exec 4<>${channels.terminal}`,
    `stty sane rows ${size.rows} cols ${size.columns} <&4`,
    STARTED,
    `while read -r rows columns <&5; do stty rows "$rows" cols "$columns" <&4; done &`,
    `setsid -c sh ${shellQuote(jobPath)} <&4 >&4 2>&4 4<&- 5>&-`,
    "status=$?",
    FINISH,
    "stty sane <&4",
  ];
}
