import type { PortNames } from "../../flow/ports.ts";
import { NetlinkError } from "../../netlink/errors.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import {
  type DatapathHandle,
  type DatapathInfo,
  getDatapath,
  handleOf,
  listDatapaths,
} from "../../ovs/datapath.ts";
import { portNames } from "../../ovs/vport.ts";
import { EINVAL, EIO, errnoNumber, errnoText } from "../../sys/errno.ts";
import { ownErrorCode } from "../../sys/error-codes.ts";
import { MillraceError, SystemCallError } from "../../sys/errors.ts";
import { type Excerpted, excerpt } from "../excerpt.ts";
import type { DpctlOptions } from "./options.ts";

/** The outputs of a call. */
export type DpctlOutput = {
  readonly out: (text: string | Uint8Array) => void;
  readonly error: (text: string) => void;
};

/** A command failed and reported it: only the exit status is left. */
export class CommandFailed extends MillraceError {
  override readonly name: string = "CommandFailed";

  constructor() {
    super("DPCTL_FAILED", "the command failed");
  }
}

/** The type that ovs-dpctl gives the datapaths of the kernel (`system@NAME`). */
export const SYSTEM = "system";

/** The state of one call of `millrace dpctl`. */
export class DpctlSession implements Disposable {
  readonly options: DpctlOptions;
  readonly channel: OvsChannel = new OvsChannel();
  readonly out: DpctlOutput["out"];
  readonly #error: DpctlOutput["error"];
  /** Why the kernel cannot have a datapath; empty if it can. */
  #lacking = "";

  constructor(options: DpctlOptions, output: DpctlOutput) {
    this.options = options;
    this.out = output.out;
    this.#error = output.error;
  }

  /** Verbose output, `-m`. */
  get verbose(): boolean {
    return this.options.more > 0;
  }

  /**
   * Reports an error as ovs-dpctl does: `MESSAGE (strerror)`, then the reason, and below it the
   * place in a text, if known.
   * @returns 1, the exit status
   */
  complain(message: string, errno = 0, reason = "", where: Excerpted = NOWHERE): 1 {
    const number = errno === 0 ? "" : ` (${strerror(errno)})`;
    const why = reason === "" ? "" : `: ${reason}`;
    this.#error(`millrace dpctl: ${message}${number}${why}\n${excerpt(where)}`);
    return 1;
  }

  /** Warns about something, and the command goes on. ovs-dpctl writes warnings to its log. */
  warn(message: string): void {
    this.#error(`millrace dpctl: warning: ${message}\n`);
  }

  /** As {@link complain}, for a caught error. Errors that are not millrace's are thrown again. */
  complainOf(message: string, error: unknown): 1 {
    if (!(error instanceof MillraceError)) throw error;
    if (error instanceof CommandFailed) return 1;
    return this.complain(message, errnoOf(error), error.message);
  }

  /** As {@link complain}, and ends the command. */
  fail(message: string, errno = 0, reason = ""): never {
    this.complain(message, errno, reason);
    throw new CommandFailed();
  }

  /** Opens the datapath that `arg` names; `opening` begins the message if that fails. */
  open(arg: string, opening?: string): DatapathHandle {
    return handleOf(this.channel, this.lookUp(arg, opening));
  }

  /** As {@link open}, but returns the current state of the datapath. */
  lookUp(arg: string, opening = "opening datapath"): DatapathInfo {
    try {
      return this.find(arg);
    } catch (error) {
      this.complainOf(opening, error);
      throw new CommandFailed();
    }
  }

  /** @throws MillraceError `NO_DATAPATH` if there is none */
  find(arg: string): DatapathInfo {
    return getDatapath(this.channel, kernelDatapathName(arg));
  }

  /** Whether `arg` names an existing datapath. */
  exists(arg: string | undefined): boolean {
    if (arg === undefined) return false;
    const { type, name } = parseDatapathName(arg);
    return type === SYSTEM && this.list().some((datapath) => datapath.name === name);
  }

  /** All datapaths; none if the kernel has no Open vSwitch. */
  list(): DatapathInfo[] {
    try {
      return listDatapaths(this.channel);
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== "NO_MODULE") throw error;
      this.#lacking = error.message;
      return [];
    }
  }

  /**
   * Reports why {@link list} found no datapath, if the kernel cannot have any.
   * @returns the exit status of a command that shows all datapaths: an empty list is a valid
   * answer, a kernel without datapaths is an error
   */
  complainOfNoModule(): 0 | 1 {
    return this.#lacking === "" ? 0 : this.complain(NONE, 0, this.#lacking);
  }

  /**
   * Opens the datapath that the first argument names, or the only existing one if the name may be
   * left out (`opt_dpif_open` in lib/dpctl.c).
   * @param args the command's arguments, without its name
   * @param max the most arguments of the command, including the datapath's name
   * @returns the datapath and the arguments after its name
   */
  openOptional(
    args: readonly string[],
    max: number,
  ): { datapath: DatapathHandle; rest: readonly string[] } {
    const [first] = args;
    if (first !== undefined && this.exists(first)) {
      return { datapath: this.open(first), rest: args.slice(1) };
    }
    if (args.length === max) {
      this.fail("datapath not found", EINVAL, `there is no datapath "${first}"`);
    }
    const [only, ...others] = this.list();
    if (only === undefined || others.length > 0) {
      if (only === undefined) this.complain(NONE, 0, this.#lacking);
      else this.complain("multiple datapaths, specify one");
      this.fail("datapath not found", EINVAL);
    }
    return { datapath: handleOf(this.channel, only), rest: args };
  }

  /** The names of ports for reading flows. */
  portNames(datapath: DatapathHandle): PortNames {
    return portNames(datapath);
  }

  /** The names of ports for printing flows: with `--names`, or `-m` without `--no-names`. */
  shownNames(datapath: DatapathHandle): PortNames | undefined {
    const { names, more } = this.options;
    return (names ?? more > 0) ? portNames(datapath) : undefined;
  }

  [Symbol.dispose](): void {
    this.channel[Symbol.dispose]();
  }
}

export const NONE = "no datapaths exist";

const NOWHERE: Excerpted = { text: "" };

/** Parses `TYPE@NAME`, or a name alone (`dp_parse_name` in lib/dpif.c). */
function parseDatapathName(arg: string): { type: string; name: string } {
  const at = arg.indexOf("@");
  if (at < 0) return { type: SYSTEM, name: arg };
  return { type: arg.slice(0, at) || SYSTEM, name: arg.slice(at + 1) };
}

/**
 * The name of a datapath of the kernel.
 * @throws MillraceError `NO_DATAPATH_TYPE` or `NO_DATAPATH` if `arg` has another type
 */
export function kernelDatapathName(arg: string): string {
  const { type, name } = parseDatapathName(arg);
  if (type === SYSTEM) return name;
  // OVS knows the type netdev, but has no such datapath unless ovs-vswitchd runs.
  const code = type === "netdev" ? "NO_DATAPATH" : "NO_DATAPATH_TYPE";
  throw new MillraceError(code, `"${type}" is not a type of the kernel's datapaths`);
}

/** The errno of an error: the kernel's, or the one that ovs-dpctl would give. */
export function errnoOf(error: MillraceError): number {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof NetlinkError || at instanceof SystemCallError) return at.errno;
  }
  return ownErrorCode(error.code)?.errno ?? errnoNumber(error.code) ?? EIO;
}

/** An errno as strerror(3) of the C library writes it, with a capital. */
export function strerror(errno: number): string {
  const text = errnoText(errno);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Ends a command whose first argument is an existing datapath, with too few arguments after it. */
export function failAsFlow(
  session: DpctlSession,
  message: string,
  [datapath = ""]: readonly string[],
  what: string,
): never {
  return session.fail(message, EINVAL, `"${datapath}" is a datapath, not a flow: ${what}`);
}
