import * as E from "./errno.ts";

/** The meaning of one of millrace's error codes. */
export type ErrorCode = {
  /** The exit status of a command that ends with it; 1 for codes of single flows. */
  readonly exit: 1 | 2 | 3 | 4 | 5;
  /** The nearest errno, for callers that expect one. */
  readonly errno: number;
  readonly meaning: string;
  /** How to fix it; empty if there is nothing to fix, or the message says it. */
  readonly remedy: string;
};

/** An error code that millrace defines. */
export type OwnErrorCode =
  | "USAGE"
  | "UNREADABLE_INPUT"
  | "UNWRITABLE_OUTPUT"
  | "FLOW_SYNTAX"
  | "FLOW_JSON"
  | "FLOW_USERSPACE_ONLY"
  | "FLOW_VALUE"
  | "FLOW_REFUSED"
  | "LINE_TOO_LONG"
  | "NO_KEY"
  | "NO_ACTIONS"
  | "PORT_NAME"
  | "SHORT_UFID"
  | "LOST_REPLY"
  | "INTERRUPTED"
  | "TOO_LONG"
  | "TEMPLATE_COLUMNS"
  | "NOT_SYNCHRONOUS"
  | "NO_PERMISSION"
  | "NO_MODULE"
  | "NO_DATAPATH"
  | "NO_DATAPATH_TYPE"
  | "NO_PORT"
  | "NO_INTERFACE"
  | "NO_PROTOCOL"
  | "NO_NAMESPACE"
  | "NOT_SUPPORTED"
  | "OWNED"
  | "BUSY"
  | "LOCAL_PORT"
  | "NOT_INTERNAL"
  | "UNSOUND_DUMP"
  | "EMPTY_SET"
  | "TOO_MUCH_CHANGE"
  | "FOREIGN_SOCKET"
  | "CLOSED"
  | "MALFORMED"
  | "TRUNCATED"
  | "NO_REPLY"
  | "NO_LIBC"
  | "WORKER"
  | "ASSERTION"
  | "DPCTL_FAILED";

/** Every code that is not the name of an errno: one table for programs, exit statuses and the documentation. */
export const ERROR_CODES: Readonly<Record<OwnErrorCode, ErrorCode>> = {
  USAGE: {
    exit: 2,
    errno: E.EINVAL,
    meaning: "Arguments or options are invalid, or contradict each other.",
    remedy: "See `millrace COMMAND --help`.",
  },
  UNREADABLE_INPUT: {
    exit: 2,
    errno: E.ENOENT,
    meaning: "An input cannot be read, is damaged, or was cut short.",
    remedy: "The message names the input and the reason.",
  },
  UNWRITABLE_OUTPUT: {
    exit: 2,
    errno: E.ENOENT,
    meaning: "An output file cannot be opened for writing.",
    remedy: "The message names the file and the reason.",
  },
  FLOW_SYNTAX: {
    exit: 2,
    errno: E.EINVAL,
    meaning: "A flow, or a filter, has a syntax error.",
    remedy:
      "The message says where, what was found and what was expected; see `docs/flow-language.md` and `docs/filter.md`.",
  },
  FLOW_JSON: {
    exit: 2,
    errno: E.EINVAL,
    meaning: "A flow in JSON does not follow its schema.",
    remedy: "The message has the path in the object; the schema is `docs/flow.schema.json`.",
  },
  FLOW_USERSPACE_ONLY: {
    exit: 2,
    errno: E.EINVAL,
    meaning: "A flow uses a field or an action that only ovs-vswitchd's userspace datapath knows.",
    remedy: "Leave it out.",
  },
  FLOW_VALUE: {
    exit: 1,
    errno: E.EINVAL,
    meaning: "A row has a value that the template does not accept in that place.",
    remedy: "The reason names the value, and says what is accepted.",
  },
  FLOW_REFUSED: {
    exit: 1,
    errno: E.EINVAL,
    meaning: "The flow breaks a rule of the kernel, which would refuse it. It was not sent.",
    remedy: "The reason describes the rule.",
  },
  LINE_TOO_LONG: {
    exit: 1,
    errno: E.EMSGSIZE,
    meaning: "A line is longer than any flow.",
    remedy: "",
  },
  NO_KEY: {
    exit: 1,
    errno: E.EINVAL,
    meaning: "A delete names no flow, so the kernel would delete all flows.",
    remedy: "Give a key or a UFID; `millrace flow flush` deletes all flows.",
  },
  NO_ACTIONS: {
    exit: 1,
    errno: E.EINVAL,
    meaning: "A flow to be installed has no actions.",
    remedy: "Write `drop` to drop the packets.",
  },
  PORT_NAME: {
    exit: 1,
    errno: E.EINVAL,
    meaning:
      "A flow set cannot hold the name of a port in this place, because the number is encoded with other bits.",
    remedy: "Give the number of the port.",
  },
  SHORT_UFID: {
    exit: 1,
    errno: E.EINVAL,
    meaning: "A flow set holds only UFIDs of 16 bytes.",
    remedy: "Load the flow as text.",
  },
  LOST_REPLY: {
    exit: 5,
    errno: E.EIO,
    meaning:
      "The kernel's reply to a flow was lost, so the flow was read back: the state says what was found.",
    remedy: "Load the same input again: existing flows do not change.",
  },
  INTERRUPTED: {
    exit: 4,
    errno: E.EIO,
    meaning: "The load ended before the flow was sent.",
    remedy: "Load the same input again.",
  },
  TOO_LONG: {
    exit: 2,
    errno: E.EMSGSIZE,
    meaning: "A flow or its actions do not fit into a netlink message.",
    remedy: "",
  },
  TEMPLATE_COLUMNS: {
    exit: 2,
    errno: E.EINVAL,
    meaning: "The columns or rows do not match the placeholders of a template.",
    remedy: "The message names the placeholder.",
  },
  NOT_SYNCHRONOUS: {
    exit: 2,
    errno: E.EINVAL,
    meaning: "A synchronous load was given an input that must be waited for.",
    remedy: "Use `load` instead of `loadSync`.",
  },
  NO_PERMISSION: {
    exit: 3,
    errno: E.EPERM,
    meaning: "The kernel requires CAP_NET_ADMIN.",
    remedy: "Use `sudo`, or `unshare -rn` for a network namespace of your own.",
  },
  NO_MODULE: {
    exit: 3,
    errno: E.EAFNOSUPPORT,
    meaning: "The kernel has no Open vSwitch datapath, or lacks one of its families.",
    remedy: "Run `sudo modprobe openvswitch`, or `millrace lab shell` for a throw-away kernel.",
  },
  NO_DATAPATH: {
    exit: 3,
    errno: E.ENODEV,
    meaning: "There is no datapath of this name.",
    remedy: "`millrace dp list` shows the existing ones, `millrace dp add NAME` creates one.",
  },
  NO_DATAPATH_TYPE: {
    exit: 3,
    errno: E.EAFNOSUPPORT,
    meaning: "A datapath was named with a type that the kernel does not have.",
    remedy: "Write the name alone, or `system@NAME`.",
  },
  NO_PORT: {
    exit: 3,
    errno: E.ENODEV,
    meaning: "The datapath has no such port.",
    remedy: "`millrace port list --dp NAME` shows its ports.",
  },
  NO_INTERFACE: {
    exit: 3,
    errno: E.ENODEV,
    meaning: "There is no network interface of this name.",
    remedy: "`ip link` shows the existing ones.",
  },
  NO_PROTOCOL: {
    exit: 3,
    errno: E.ENOENT,
    meaning: "The kernel lacks the requested netlink protocol.",
    remedy: "",
  },
  NO_NAMESPACE: {
    exit: 3,
    errno: E.ENOENT,
    meaning: "There is no network namespace of this name.",
    remedy: "`ip netns list` shows the named ones.",
  },
  NOT_SUPPORTED: {
    exit: 3,
    errno: E.EOPNOTSUPP,
    meaning: "This kernel lacks the requested feature.",
    remedy: "The message says which Linux has it, if known.",
  },
  OWNED: {
    exit: 3,
    errno: E.EPERM,
    meaning: "ovs-vswitchd runs the datapath, and deletes unknown flows.",
    remedy: "Use a datapath of your own, or add `--force`.",
  },
  BUSY: {
    exit: 3,
    errno: E.EEXIST,
    meaning: "Another program receives the misses of the datapath; only one can.",
    remedy: "Stop the other program, or use `--take-over`.",
  },
  LOCAL_PORT: {
    exit: 3,
    errno: E.EINVAL,
    meaning: "The datapath's local port cannot be deleted alone.",
    remedy: "`millrace dp del NAME` deletes both.",
  },
  NOT_INTERNAL: {
    exit: 3,
    errno: E.EINVAL,
    meaning: "Only ports of type internal can move to another network namespace.",
    remedy: "",
  },
  UNSOUND_DUMP: {
    exit: 1,
    errno: E.EIO,
    meaning: "Flows changed while they were dumped, so the dump may be incomplete.",
    remedy: "Dump again.",
  },
  EMPTY_SET: {
    exit: 1,
    errno: E.EINVAL,
    meaning: "A sync was given a set without flows.",
    remedy: "Add `--allow-empty` if that is intended.",
  },
  TOO_MUCH_CHANGE: {
    exit: 1,
    errno: E.EINVAL,
    meaning:
      "A sync would delete or change more of the owner's flows than allowed; nothing was sent.",
    remedy: "`--dry-run` shows the changes; `--max-change PERCENT` allows more.",
  },
  FOREIGN_SOCKET: {
    exit: 1,
    errno: E.EINVAL,
    meaning: "Flows of a snapshot send packets to the socket of a process: `userspace(pid=…)`.",
    remedy: "Name the new socket by `--userspace-pid ID`.",
  },
  CLOSED: {
    exit: 5,
    errno: E.EIO,
    meaning: "An object was used after it was closed.",
    remedy: "",
  },
  MALFORMED: {
    exit: 5,
    errno: E.EIO,
    meaning: "The kernel or a program sent malformed bytes.",
    remedy: "",
  },
  TRUNCATED: {
    exit: 5,
    errno: E.EMSGSIZE,
    meaning: "A reply of the kernel did not fit into the buffer.",
    remedy: "",
  },
  NO_REPLY: {
    exit: 5,
    errno: E.EIO,
    meaning: "The kernel did not answer a request to create something.",
    remedy: "",
  },
  NO_LIBC: {
    exit: 5,
    errno: E.ENOENT,
    meaning: "No C library was found that millrace can call.",
    remedy: "",
  },
  WORKER: {
    exit: 5,
    errno: E.EIO,
    meaning: "A thread of a load failed.",
    remedy: "Use `--workers 0`.",
  },
  ASSERTION: {
    exit: 5,
    errno: E.EIO,
    meaning: "A bug in millrace, or a wrong use of its library.",
    remedy: "",
  },
  DPCTL_FAILED: {
    exit: 1,
    errno: E.EIO,
    meaning: "A command of `millrace dpctl` failed; its messages say why.",
    remedy: "",
  },
};

/** The code of an error: one of {@link ERROR_CODES}, or the name of an errno. */
export type MillraceErrorCode = OwnErrorCode | E.ErrnoCode;

/** The meaning of one of millrace's codes; undefined for the name of an errno. */
export function ownErrorCode(code: MillraceErrorCode): ErrorCode | undefined {
  const table: Readonly<Partial<Record<MillraceErrorCode, ErrorCode>>> = ERROR_CODES;
  return Object.hasOwn(table, code) ? table[code] : undefined;
}

/** The page that documents the codes, as `docs/errors.md` has it. */
export function errorReference(): string {
  const rows = Object.entries<ErrorCode>(ERROR_CODES).map(
    ([code, { exit, meaning, remedy }]) => `| \`${code}\` | ${exit} | ${meaning} | ${remedy} |`,
  );
  return `# Error codes

Every error that millrace throws on purpose is a \`MillraceError\` with a \`code\`; so does each flow in a report
that was not simply applied. The code is one of these words, or the name of the kernel's errno (\`EINVAL\`). Commands end with
the exit status of the error: 1 some flows failed, 2 wrong usage or unreadable input, 3 no permission, no module or no
such datapath, 4 interrupted, 5 an internal error or unknown outcomes. If the kernel refuses a command with an errno, the
status is 3, or 2 if the request itself was invalid.

| code | exit status | meaning | what to do |
|---|---|---|---|
${rows.join("\n")}
`;
}
