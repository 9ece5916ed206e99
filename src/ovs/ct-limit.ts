import { U16_MAX, U32_MAX } from "../flow/bytes.ts";
import { AttributeReader } from "../netlink/attribute-reader.ts";
import { MillraceError, NotSupportedError } from "../sys/errors.ts";
import * as A from "../uapi/openvswitch.ts";
import { type OvsChannel, type OvsMessage, onMessage } from "./channel.ts";
import { checkNumber, usage } from "./check.ts";

/** A conntrack zone; `default` stands for all zones without their own limit. */
export type CtZone = number | "default";

/** A limit to set. */
export type CtLimit = {
  readonly zone: CtZone;
  /** The most connections; 0 for no limit. */
  readonly limit: number;
};

/** A limit as the kernel reports it. */
export type CtLimitInfo = CtLimit & {
  /** Connections in the zone now; 0 for the default. */
  readonly count: number;
};

/** struct ovs_zone_limit { s32 zone_id; u32 limit; u32 count; } */
const ENTRY_BYTES = 12;

/**
 * Sets limits. They apply to connections made by `ct(commit)` actions in all datapaths of the
 * network namespace.
 * @throws NotSupportedError before kernel 4.18; MillraceError `USAGE`, `NO_PERMISSION`
 */
export function setCtLimits(channel: OvsChannel, limits: readonly CtLimit[]): void {
  transact(channel, { command: A.OVS_CT_LIMIT_CMD_SET, verb: "setting", limits });
}

/**
 * The limits of these zones; by default, the default limit and those of all zones that have one.
 */
export function getCtLimits(channel: OvsChannel, zones: readonly CtZone[] = []): CtLimitInfo[] {
  const found: CtLimitInfo[] = [];
  transact(channel, {
    command: A.OVS_CT_LIMIT_CMD_GET,
    verb: "reading",
    limits: zones.map((zone) => ({ zone, limit: 0 })),
    use: (message) => decodeCtLimits(message, found),
  });
  return found;
}

/**
 * Deletes the limits of zones, so that the default applies to them again. Deleting the default
 * limit sets it to 0.
 */
export function deleteCtLimits(channel: OvsChannel, zones: readonly CtZone[]): void {
  if (zones.length === 0) throw usage("a deletion of conntrack limits names its zones");
  const limits = zones.map((zone) => ({ zone, limit: 0 }));
  transact(channel, { command: A.OVS_CT_LIMIT_CMD_DEL, verb: "deleting", limits });
}

/** A request about limits, and the handler of its reply. */
type CtLimitRequest = {
  readonly command: number;
  readonly verb: string;
  readonly limits: readonly CtLimit[];
  readonly use?: (message: OvsMessage) => void;
};

function transact(
  channel: OvsChannel,
  { command, verb, limits, use = () => {} }: CtLimitRequest,
): void {
  for (const { zone, limit } of limits) {
    if (zone !== "default") checkNumber("conntrack zone", zone, 0, U16_MAX);
    checkNumber("conntrack limit", limit, 0, U32_MAX);
  }
  try {
    channel.transact(
      {
        family: A.OVS_CT_LIMIT_FAMILY,
        version: A.OVS_CT_LIMIT_VERSION,
        command,
        // Limits belong to the network namespace, not to a datapath.
        datapath: 0,
        doing: `${verb} conntrack limits`,
        write: (writer) => {
          if (limits.length === 0) return;
          const at = writer.reserve(A.OVS_CT_LIMIT_ATTR_ZONE_LIMIT, limits.length * ENTRY_BYTES);
          if (at < 0) return;
          const { i32, u32 } = writer.memory;
          let entry = at >> 2;
          for (const { zone, limit } of limits) {
            i32[entry] = zone === "default" ? A.OVS_ZONE_LIMIT_DEFAULT_ZONE : zone;
            u32[entry + 1] = limit;
            u32[entry + 2] = 0;
            entry += ENTRY_BYTES >> 2;
          }
        },
      },
      onMessage(use),
    );
  } catch (error) {
    if (error instanceof MillraceError && error.code === "NO_MODULE") {
      throw new NotSupportedError("conntrack limits in its datapath", "4.18", { cause: error });
    }
    throw error;
  }
}

/** Reads limits from a message of the family ovs_ct_limit, and appends them to `into`. */
export function decodeCtLimits({ bytes, view, start, end }: OvsMessage, into: CtLimitInfo[]): void {
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) {
    if (reader.type !== A.OVS_CT_LIMIT_ATTR_ZONE_LIMIT) continue;
    for (
      let at = reader.start;
      at + ENTRY_BYTES <= reader.start + reader.length;
      at += ENTRY_BYTES
    ) {
      const zone = view.getInt32(at, true);
      into.push({
        zone: zone === A.OVS_ZONE_LIMIT_DEFAULT_ZONE ? "default" : zone,
        limit: view.getUint32(at + 4, true),
        count: view.getUint32(at + 8, true),
      });
    }
  }
}
