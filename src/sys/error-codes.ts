import {
  EAFNOSUPPORT,
  EEXIST,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  type ErrnoCode,
} from "./errno.ts";

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
    errno: EINVAL,
    meaning: "Arguments or options contradict one another, or have no meaning.",
    remedy: "`millrace COMMAND --help` tells what may be given.",
  },
  UNREADABLE_INPUT: {
    exit: 2,
    errno: ENOENT,
    meaning: "An input cannot be read, is damaged, or was cut short.",
    remedy: "The message names the input and why.",
  },
  UNWRITABLE_OUTPUT: {
    exit: 2,
    errno: ENOENT,
    meaning: "A file that a command is to write cannot be opened for it.",
    remedy: "The message names the file and why.",
  },
  FLOW_SYNTAX: {
    exit: 2,
    errno: EINVAL,
    meaning: "A flow, or a filter of flows, is not in its language.",
    remedy:
      "The message says where, what was found and what was expected; `docs/flow-language.md` and `docs/filter.md` have the languages.",
  },
  FLOW_JSON: {
    exit: 2,
    errno: EINVAL,
    meaning: "A flow in JSON is not of its schema.",
    remedy: "The message has the path in the object; `docs/flow.schema.json` is the schema.",
  },
  FLOW_USERSPACE_ONLY: {
    exit: 2,
    errno: EINVAL,
    meaning: "A flow matches what only ovs-vswitchd's own datapath knows.",
    remedy: "Leave the field out.",
  },
  FLOW_VALUE: {
    exit: 1,
    errno: EINVAL,
    meaning: "A row has a value that its hole in the template does not take.",
    remedy: "The reason says which, and what it takes.",
  },
  FLOW_REFUSED: {
    exit: 1,
    errno: EINVAL,
    meaning: "The kernel would not take the flow: it breaks one of its rules. It was not sent.",
    remedy: "The reason has the rule in words.",
  },
  LINE_TOO_LONG: {
    exit: 1,
    errno: EMSGSIZE,
    meaning: "A line is longer than any flow is.",
    remedy: "",
  },
  NO_KEY: {
    exit: 1,
    errno: EINVAL,
    meaning: "A delete names no flow: the kernel would delete them all.",
    remedy: "Name a key or a UFID; `millrace flow flush` deletes all.",
  },
  NO_ACTIONS: {
    exit: 1,
    errno: EINVAL,
    meaning: "A flow that is to be put has no actions.",
    remedy: "A flow that does nothing has the action `drop`.",
  },
  PORT_NAME: {
    exit: 1,
    errno: EINVAL,
    meaning: "A flow set cannot keep the name of a port where its number is not used as it is.",
    remedy: "Give the number.",
  },
  SHORT_UFID: {
    exit: 1,
    errno: EINVAL,
    meaning: "A flow set has room for UFIDs of 16 bytes alone.",
    remedy: "Load such a flow as text.",
  },
  LOST_REPLY: {
    exit: 5,
    errno: EIO,
    meaning:
      "The kernel's reply to a flow was lost, and it was read back: the state says what was found.",
    remedy: "Load the same input again: what is there already is not changed.",
  },
  INTERRUPTED: {
    exit: 4,
    errno: EIO,
    meaning: "The load ended before the flow was sent.",
    remedy: "Load the same input again.",
  },
  TOO_LONG: {
    exit: 2,
    errno: EMSGSIZE,
    meaning: "A flow, or its actions, is longer than a netlink message can be.",
    remedy: "",
  },
  TEMPLATE_COLUMNS: {
    exit: 2,
    errno: EINVAL,
    meaning: "The columns or rows of a template do not fit its holes.",
    remedy: "The message names the hole.",
  },
  NOT_SYNCHRONOUS: {
    exit: 2,
    errno: EINVAL,
    meaning: "A load without yielding was given an input that has to be waited for.",
    remedy: "Use `load` instead of `loadSync`.",
  },
  NO_PERMISSION: {
    exit: 3,
    errno: EPERM,
    meaning: "The kernel wants CAP_NET_ADMIN.",
    remedy: "`sudo`, or `unshare -rn` for a network namespace of your own.",
  },
  NO_MODULE: {
    exit: 3,
    errno: EAFNOSUPPORT,
    meaning: "The kernel has no Open vSwitch datapath, or lacks one of its families.",
    remedy: "`sudo modprobe openvswitch`, or `millrace lab shell` for a throw-away kernel.",
  },
  NO_DATAPATH: {
    exit: 3,
    errno: ENODEV,
    meaning: "There is no datapath of this name.",
    remedy: "`millrace dp list` shows those that are there, `millrace dp add NAME` makes one.",
  },
  NO_DATAPATH_TYPE: {
    exit: 3,
    errno: EAFNOSUPPORT,
    meaning: "A datapath was named with a type that is not the kernel's.",
    remedy: "Write the name alone, or `system@NAME`.",
  },
  NO_PORT: {
    exit: 3,
    errno: ENODEV,
    meaning: "The datapath has no such port.",
    remedy: "`millrace port list --dp NAME` shows its ports.",
  },
  NO_INTERFACE: {
    exit: 3,
    errno: ENODEV,
    meaning: "There is no network interface of this name.",
    remedy: "`ip link` shows those that are there.",
  },
  NO_PROTOCOL: {
    exit: 3,
    errno: ENOENT,
    meaning: "The kernel has no netlink protocol that was asked for.",
    remedy: "",
  },
  NO_NAMESPACE: {
    exit: 3,
    errno: ENOENT,
    meaning: "There is no network namespace of this name.",
    remedy: "`ip netns list` shows those that have names.",
  },
  NOT_SUPPORTED: {
    exit: 3,
    errno: EOPNOTSUPP,
    meaning: "This kernel lacks what was asked for.",
    remedy: "The message says which Linux has it, where that is known.",
  },
  OWNED: {
    exit: 3,
    errno: EPERM,
    meaning: "ovs-vswitchd runs the datapath, and deletes flows that it does not know.",
    remedy: "Use a datapath of your own, or `--force`.",
  },
  BUSY: {
    exit: 3,
    errno: EEXIST,
    meaning: "Another program has what was asked for: the misses of a datapath go to one.",
    remedy: "End the other program.",
  },
  LOCAL_PORT: {
    exit: 3,
    errno: EINVAL,
    meaning: "The port of the datapath's own name goes with the datapath alone.",
    remedy: "`millrace dp del NAME` deletes both.",
  },
  NOT_INTERNAL: {
    exit: 3,
    errno: EINVAL,
    meaning: "Only ports of type internal can move to another network namespace.",
    remedy: "",
  },
  UNSOUND_DUMP: {
    exit: 1,
    errno: EIO,
    meaning: "Flows changed while they were dumped: the dump may lack some.",
    remedy: "Dump again.",
  },
  EMPTY_SET: {
    exit: 1,
    errno: EINVAL,
    meaning: "A datapath was to be brought to a set without a flow.",
    remedy: "`--allow-empty`, where that is meant.",
  },
  TOO_MUCH_CHANGE: {
    exit: 1,
    errno: EINVAL,
    meaning:
      "A sync would delete or change more of the owner's flows than it may; nothing was sent.",
    remedy: "`--dry-run` shows what it would do; `--max-change PERCENT` lets it.",
  },
  FOREIGN_SOCKET: {
    exit: 1,
    errno: EINVAL,
    meaning: "Flows of a snapshot send packets to the socket of a process: `userspace(pid=…)`.",
    remedy: "`--userspace-pid ID` names the socket that is meant here.",
  },
  CLOSED: {
    exit: 5,
    errno: EIO,
    meaning: "What was closed is used.",
    remedy: "",
  },
  MALFORMED: {
    exit: 5,
    errno: EIO,
    meaning: "The kernel, or a program, gave bytes that are not what they should be.",
    remedy: "",
  },
  TRUNCATED: {
    exit: 5,
    errno: EMSGSIZE,
    meaning: "A reply of the kernel is longer than the memory for it.",
    remedy: "",
  },
  NO_REPLY: {
    exit: 5,
    errno: EIO,
    meaning: "The kernel did not say what it made.",
    remedy: "",
  },
  NO_LIBC: {
    exit: 5,
    errno: ENOENT,
    meaning: "No C library was found whose functions millrace can call.",
    remedy: "",
  },
  WORKER: {
    exit: 5,
    errno: EIO,
    meaning: "A thread of a load failed.",
    remedy: "`--workers 0` does without.",
  },
  ASSERTION: {
    exit: 5,
    errno: EIO,
    meaning: "A defect in millrace, or in the use of its library.",
    remedy: "",
  },
  DPCTL_FAILED: {
    exit: 1,
    errno: EIO,
    meaning: "A command of `millrace dpctl` failed, and said why.",
    remedy: "",
  },
};

/** The code of an error: one of {@link ERROR_CODES}, or the name of an errno. */
export type MillraceErrorCode = OwnErrorCode | ErrnoCode;

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

Every error that millrace throws on purpose is a \`MillraceError\` with a \`code\`; so has each flow of a report that
was not simply applied. A code is one of these words, or the name of the kernel's errno (\`EINVAL\`). Commands end with
the exit status of the error: 1 some flows were not taken, 2 wrong usage or unreadable input, 3 no permission, no
module or no such datapath, 4 interrupted, 5 an internal error or outcomes that stayed unknown. An errno of the kernel
that refuses a command is 3, or 2 where the request itself was invalid.

| code | exit | what it means | what mends it |
|---|---|---|---|
${rows.join("\n")}
`;
}
