/** An option of ovs-dpctl, as in `struct option` of utilities/ovs-dpctl.c and lib/vlog.h. */
type OptionSpec = {
  readonly name: string;
  readonly short?: string;
  /** Whether it takes a value: never, always, or only with `=`. */
  readonly value: "none" | "required" | "optional";
};

/** Every option, in the order of `-o`. */
export const OPTIONS: readonly OptionSpec[] = [
  { name: "statistics", short: "s", value: "none" },
  { name: "clear", value: "none" },
  { name: "may-create", value: "none" },
  { name: "read-only", value: "none" },
  { name: "more", short: "m", value: "none" },
  { name: "names", value: "none" },
  { name: "no-names", value: "none" },
  { name: "timeout", short: "t", value: "required" },
  { name: "help", short: "h", value: "none" },
  { name: "option", short: "o", value: "none" },
  { name: "version", short: "V", value: "none" },
  { name: "verbose", short: "v", value: "optional" },
  { name: "log-file", value: "optional" },
  { name: "syslog-method", value: "required" },
  { name: "syslog-target", value: "required" },
];

/** The options of one call. */
export type DpctlOptions = {
  statistics: boolean;
  clear: boolean;
  mayCreate: boolean;
  readOnly: boolean;
  /** How many times `-m` was given. */
  more: number;
  /** Whether to print port names; undefined to follow `-m`. */
  names: boolean | undefined;
  /** Seconds after which to give up; 0 for never. */
  timeout: number;
  /** A request that is answered without a command. */
  asks: "help" | "version" | "option" | undefined;
};

/** The options and what is left: the command and its arguments. */
type ParsedArguments = { readonly options: DpctlOptions; readonly rest: readonly string[] };

/**
 * Reads a command line as getopt_long does: options anywhere, short ones together, long ones by any
 * unique prefix, `--` ends them.
 * @returns the message of an error, if any
 */
export function parseArguments(args: readonly string[]): ParsedArguments | string {
  const options: DpctlOptions = {
    statistics: false,
    clear: false,
    mayCreate: false,
    readOnly: false,
    more: 0,
    names: undefined,
    timeout: 0,
    asks: undefined,
  };
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--") {
      rest.push(...args.slice(i + 1));
      break;
    }
    const found = arg.startsWith("--") ? longOption(arg) : shortOptions(arg);
    if (typeof found === "string") return found;
    if (found === undefined) rest.push(arg);
    for (const { spec, value } of found ?? []) {
      let given = value;
      if (spec.value === "required" && given === undefined) {
        i++;
        given = args[i];
        if (given === undefined) return missingValue(spec, arg);
      }
      const problem = apply(options, spec.name, given);
      if (problem !== undefined) return problem;
    }
  }
  return { options, rest };
}

type Given = { readonly spec: OptionSpec; readonly value: string | undefined };

function longOption(arg: string): Given[] | string {
  const equals = arg.indexOf("=");
  const word = arg.slice(2, equals < 0 ? undefined : equals);
  const exact = OPTIONS.filter(({ name }) => name === word);
  const matching = exact.length > 0 ? exact : OPTIONS.filter(({ name }) => name.startsWith(word));
  const [spec] = matching;
  if (spec === undefined) return `unrecognized option '${arg}'`;
  if (matching.length > 1) {
    const names = matching.map(({ name }) => `'--${name}'`).join(" ");
    return `option '${arg}' is ambiguous; possibilities: ${names}`;
  }
  if (equals >= 0 && spec.value === "none") {
    return `option '--${spec.name}' doesn't allow an argument`;
  }
  return [{ spec, value: equals < 0 ? undefined : arg.slice(equals + 1) }];
}

function shortOptions(arg: string): Given[] | string | undefined {
  if (!arg.startsWith("-") || arg === "-") return undefined;
  const found: Given[] = [];
  for (let i = 1; i < arg.length; i++) {
    const letter = arg.charAt(i);
    const spec = OPTIONS.find(({ short }) => short === letter);
    if (spec === undefined) return `invalid option -- '${letter}'`;
    if (spec.value === "none") {
      found.push({ spec, value: undefined });
      continue;
    }
    const value = arg.slice(i + 1);
    found.push({ spec, value: value === "" ? undefined : value });
    break;
  }
  return found;
}

function missingValue(spec: OptionSpec, arg: string): string {
  return arg.startsWith("--")
    ? `option '${arg}' requires an argument`
    : `option requires an argument -- '${spec.short}'`;
}

function apply(options: DpctlOptions, name: string, value: string | undefined): string | undefined {
  switch (name) {
    case "statistics":
      options.statistics = true;
      break;
    case "clear":
      options.clear = true;
      break;
    case "may-create":
      options.mayCreate = true;
      break;
    case "read-only":
      options.readOnly = true;
      break;
    case "more":
      options.more++;
      break;
    case "names":
    case "no-names":
      options.names = name === "names";
      break;
    case "timeout":
      options.timeout = /^\d+$/.test(value ?? "") ? Number(value) : 0;
      if (options.timeout < 1 || options.timeout > 0xffff_ffff) {
        return `value ${value} on -t or --timeout is invalid`;
      }
      break;
    case "help":
    case "version":
    case "option":
      options.asks ??= name;
      break;
    default:
    // Options for logging are ignored: there is no log, and errors give their reason.
  }
  return undefined;
}

/** What `-o` prints: every option by its name. */
export function optionList(): string {
  const lines = OPTIONS.flatMap(({ name, short, value }) => {
    const suffix = { none: "", required: "=ARG", optional: "=[ARG]" }[value];
    const shortSuffix = { none: " ", required: " ARG", optional: " [ARG]" }[value];
    return short === undefined
      ? [`--${name}${suffix}`]
      : [`--${name}${suffix}`, `-${short}${shortSuffix}`];
  });
  return `${lines.join("\n")}\n`;
}
