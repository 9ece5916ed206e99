import { errnoName, errnoText } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";

/**
 * What the kernel reported besides an errno (NETLINK_EXT_ACK). Open vSwitch reports little, other
 * families more.
 */
export type ExtendedAck = {
  /** NLMSGERR_ATTR_MSG. */
  readonly message?: string;
  /** NLMSGERR_ATTR_OFFS: where in the request the offending attribute begins. */
  readonly offset?: number;
  /** NLMSGERR_ATTR_MISS_TYPE: the type of an attribute that is missing. */
  readonly missingType?: number;
};

/** The kernel answered a request with an error. */
export class NetlinkError extends MillraceError {
  override readonly name: string = "NetlinkError";
  /** The errno as the kernel gave it, positive. */
  readonly errno: number;
  readonly extendedAck: ExtendedAck | undefined;

  /** @param doing what was being done, in the user's words: "creating the datapath lab0" */
  constructor(doing: string, errno: number, extendedAck?: ExtendedAck) {
    const said = extendedAck?.message;
    super(errnoName(errno), `${doing}: ${errnoText(errno)}${said ? ` (${said})` : ""}`);
    this.errno = errno;
    this.extendedAck = extendedAck;
  }
}
