import * as netlink from "../../uapi/netlink.ts";
import * as ovs from "../../uapi/openvswitch.ts";

/** The names of the attributes of a list, and which of them hold lists. */
export type Scheme = {
  /** The name of an attribute, as in the kernel's headers without the common prefix. */
  readonly nameOf: (type: number) => string;
  /** The names inside an attribute; undefined if it holds a value. */
  readonly inside: (type: number) => Scheme | undefined;
};

/** The content of the messages of a generic netlink family. */
export type FamilyScheme = {
  readonly commandOf: (command: number) => string;
  /** Bytes between the generic header and the attributes. */
  readonly header: number;
  readonly attributes: Scheme;
};

const CONSTANTS: readonly (readonly [string, unknown])[] = Object.entries({ ...netlink, ...ovs });

/** Names by number: the part of each constant's name that follows `prefix`, a pattern. */
function names(prefix: string): (value: number) => string {
  const begin = new RegExp(`^${prefix}`);
  const found = new Map(
    CONSTANTS.flatMap(([name, value]): [number, string][] =>
      typeof value === "number" && begin.test(name) ? [[value, name.replace(begin, "")]] : [],
    ),
  );
  return (value) => found.get(value) ?? String(value);
}

/**
 * @param nested the schemes inside attributes, by attribute name; made on demand, since lists nest
 */
function scheme(prefix: string, nested: Readonly<Record<string, () => Scheme>> = {}): Scheme {
  const nameOf = names(prefix);
  return { nameOf, inside: (type) => nested[nameOf(type)]?.() };
}

/** A list of numbered members, which all have the same scheme. */
function numbered(member: Scheme): Scheme {
  return { nameOf: String, inside: () => member };
}

/** A list with unknown attributes: nesting is recognized by NLA_F_NESTED. */
export const UNKNOWN: Scheme = { nameOf: String, inside: () => undefined };

const TUNNEL = scheme("OVS_TUNNEL_KEY_ATTR_", { VXLAN_OPTS: () => scheme("OVS_VXLAN_EXT_") });
const KEY: Scheme = scheme("OVS_KEY_ATTR_", {
  ENCAP: () => KEY,
  TUNNEL: () => TUNNEL,
  NSH: () => scheme("OVS_NSH_KEY_ATTR_"),
});
const ACTIONS: Scheme = scheme("OVS_ACTION_ATTR_", {
  SET: () => KEY,
  SET_MASKED: () => KEY,
  PUSH_NSH: () => KEY,
  CLONE: () => ACTIONS,
  USERSPACE: () => scheme("OVS_USERSPACE_ATTR_"),
  SAMPLE: () => scheme("OVS_SAMPLE_ATTR_", { ACTIONS: () => ACTIONS }),
  CT: () => scheme("OVS_CT_ATTR_", { NAT: () => scheme("OVS_NAT_ATTR_") }),
  DEC_TTL: () => scheme("OVS_DEC_TTL_ATTR_", { ACTION: () => ACTIONS }),
  PSAMPLE: () => scheme("OVS_PSAMPLE_ATTR_"),
  CHECK_PKT_LEN: () =>
    scheme("OVS_CHECK_PKT_LEN_ATTR_", {
      ACTIONS_IF_GREATER: () => ACTIONS,
      ACTIONS_IF_LESS_EQUAL: () => ACTIONS,
    }),
});

/** `struct ovs_header`. */
const OVS_HEADER = 4;

function ovsFamily(
  word: string,
  nested: Readonly<Record<string, () => Scheme>> = {},
): FamilyScheme {
  return {
    commandOf: names(`OVS_${word}_CMD_`),
    header: OVS_HEADER,
    attributes: scheme(`OVS_${word}_ATTR_`, nested),
  };
}

/** The families that millrace speaks to, by name. */
export const FAMILIES: ReadonlyMap<string, FamilyScheme> = new Map([
  [
    "nlctrl",
    {
      commandOf: names("CTRL_CMD_"),
      header: 0,
      attributes: scheme("CTRL_ATTR_(?!MCAST_GRP_|OP_)", {
        OPS: () => numbered(scheme("CTRL_ATTR_OP_")),
        MCAST_GROUPS: () => numbered(scheme("CTRL_ATTR_MCAST_GRP_")),
      }),
    },
  ],
  [ovs.OVS_DATAPATH_FAMILY, ovsFamily("DP")],
  [ovs.OVS_VPORT_FAMILY, ovsFamily("VPORT", { OPTIONS: () => scheme("OVS_TUNNEL_ATTR_") })],
  [
    ovs.OVS_FLOW_FAMILY,
    ovsFamily("FLOW", { KEY: () => KEY, MASK: () => KEY, ACTIONS: () => ACTIONS }),
  ],
  [
    ovs.OVS_PACKET_FAMILY,
    ovsFamily("PACKET", {
      KEY: () => KEY,
      ACTIONS: () => ACTIONS,
      EGRESS_TUN_KEY: () => TUNNEL,
    }),
  ],
  [ovs.OVS_METER_FAMILY, ovsFamily("METER", { BANDS: () => numbered(scheme("OVS_BAND_ATTR_")) })],
  [ovs.OVS_CT_LIMIT_FAMILY, ovsFamily("CT_LIMIT")],
]);

/** The attributes of an extended ack. */
export const ACK: Scheme = scheme("NLMSGERR_ATTR_");
