import { GENL_HEADER, NLMSG_HEADER } from "../netlink/message.ts";
import { EINVAL, ENOENT, EOPNOTSUPP } from "../sys/errno.ts";
import * as N from "../uapi/netlink.ts";
import type { Families, Family } from "./family.ts";
import { attributesOf, genericMessage, type Request, textOf, u32Of } from "./wire.ts";

// The controller of generic netlink, of a kernel in memory.

const NAME = "nlctrl";
const VERSION = 2;

/** The family that tells of families (genl_ctrl in net/netlink/genetlink.c). */
export class Controller implements Family {
  readonly name: string = NAME;
  readonly version: number = VERSION;
  readonly headerBytes = 0;
  readonly attributeMax = 10;
  readonly groups: readonly string[] = [];
  readonly #families: Families;

  constructor(families: Families) {
    this.#families = families;
  }

  run(request: Request, reply: (message: Uint8Array) => void): number {
    if (request.bytes.length < NLMSG_HEADER + GENL_HEADER) return EINVAL;
    if (request.bytes[NLMSG_HEADER] !== N.CTRL_CMD_GETFAMILY) return EOPNOTSUPP;
    const asked = attributesOf(request.bytes, NLMSG_HEADER + GENL_HEADER);
    const name = textOf(asked, N.CTRL_ATTR_FAMILY_NAME);
    const id = u32Of(asked, N.CTRL_ATTR_FAMILY_ID);
    if (name === undefined && id === undefined) return EINVAL;
    const family = name === undefined ? this.#families.byId(id ?? 0) : this.#families.byName(name);
    if (family === undefined) return ENOENT;
    reply(this.#describe(family, request));
    return 0;
  }

  #describe(family: Family, { sequence, portId }: Request): Uint8Array {
    const head = {
      type: N.GENL_ID_CTRL,
      sequence,
      portId,
      command: N.CTRL_CMD_NEWFAMILY,
      version: VERSION,
    };
    return genericMessage(head, (writer) => {
      writer.string(N.CTRL_ATTR_FAMILY_NAME, family.name);
      writer.u16(N.CTRL_ATTR_FAMILY_ID, this.#families.idOf(family.name));
      writer.u32(N.CTRL_ATTR_VERSION, family.version);
      writer.u32(N.CTRL_ATTR_HDRSIZE, family.headerBytes);
      writer.u32(N.CTRL_ATTR_MAXATTR, family.attributeMax);
      if (family.groups.length === 0) return;
      const groups = writer.nest(N.CTRL_ATTR_MCAST_GROUPS);
      for (const [i, group] of family.groups.entries()) {
        const entry = writer.nest(i + 1);
        writer.u32(N.CTRL_ATTR_MCAST_GRP_ID, this.#families.groupOf(group));
        writer.string(N.CTRL_ATTR_MCAST_GRP_NAME, group);
        writer.endNest(entry);
      }
      writer.endNest(groups);
    });
  }
}
