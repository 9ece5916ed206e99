import * as uapi from "../../uapi/openvswitch.ts";
import { COOKIE_SIZE, COOKIES } from "./cookie.ts";
import { member, Members } from "./member.ts";

// The members of each nested action.

const USERDATA = uapi.OVS_USERSPACE_ATTR_USERDATA;

/** userspace(): if the text has no user data, OVS sends a cookie of 48 zero bytes. */
export const USERSPACE: Members = new Members(
  [
    member("pid", "u32", uapi.OVS_USERSPACE_ATTR_PID, "port id of the socket, not 0", {
      required: true,
    }),
    ...COOKIES.map((cookie) => member(cookie.name, "cookie", USERDATA, cookie.about, { cookie })),
    member("userdata", "userdata", USERDATA, "any bytes; padded to at least eight"),
    member("exact_userdata", "exact", USERDATA, "fewer than eight bytes, not padded"),
    member("no_userdata", "none", USERDATA, "no user data at all"),
    member("actions", "flag", uapi.OVS_USERSPACE_ATTR_ACTIONS, "the actions go along"),
    member("tunnel_out_port", "port", uapi.OVS_USERSPACE_ATTR_EGRESS_TUN_PORT, "tunnel port"),
  ],
  {
    order: [
      uapi.OVS_USERSPACE_ATTR_PID,
      USERDATA,
      uapi.OVS_USERSPACE_ATTR_EGRESS_TUN_PORT,
      uapi.OVS_USERSPACE_ATTR_ACTIONS,
    ],
    fill: { attribute: USERDATA, size: COOKIE_SIZE },
  },
);

/** sample(). */
export const SAMPLE: Members = new Members([
  member("sample", "percent", uapi.OVS_SAMPLE_ATTR_PROBABILITY, "share of the packets", {
    required: true,
  }),
  member("actions", "actions", uapi.OVS_SAMPLE_ATTR_ACTIONS, "what is done to them", {
    required: true,
  }),
]);

/** ct(). Limits of names are the kernel's (`NF_CT_HELPER_NAME_LEN`, `CTNL_TIMEOUT_NAME_MAX`). */
export const CT: Members = new Members(
  [
    member("commit", "flag", uapi.OVS_CT_ATTR_COMMIT, "the connection is kept"),
    member("force_commit", "flag", uapi.OVS_CT_ATTR_FORCE_COMMIT, "kept, in this direction"),
    member("zone", "u16", uapi.OVS_CT_ATTR_ZONE, "conntrack zone", { zeroIsNone: true }),
    member("mark", "mark", uapi.OVS_CT_ATTR_MARK, "value and mask for ct_mark, hexadecimal"),
    member("label", "labels", uapi.OVS_CT_ATTR_LABELS, "value and mask for ct_label"),
    member("helper", "name", uapi.OVS_CT_ATTR_HELPER, "conntrack helper", { max: 15 }),
    member("timeout", "name", uapi.OVS_CT_ATTR_TIMEOUT, "timeout policy", { max: 31 }),
    member("eventmask", "u32", uapi.OVS_CT_ATTR_EVENTMASK, "conntrack events", { hex: true }),
    member("nat", "nat", uapi.OVS_CT_ATTR_NAT, "address translation"),
  ],
  {
    // As ovs_ct_action_to_attr() dumps them.
    order: [
      uapi.OVS_CT_ATTR_COMMIT,
      uapi.OVS_CT_ATTR_FORCE_COMMIT,
      uapi.OVS_CT_ATTR_ZONE,
      uapi.OVS_CT_ATTR_MARK,
      uapi.OVS_CT_ATTR_LABELS,
      uapi.OVS_CT_ATTR_HELPER,
      uapi.OVS_CT_ATTR_EVENTMASK,
      uapi.OVS_CT_ATTR_TIMEOUT,
      uapi.OVS_CT_ATTR_NAT,
    ],
    bare: true,
    exclusive: [uapi.OVS_CT_ATTR_COMMIT, uapi.OVS_CT_ATTR_FORCE_COMMIT],
  },
);

/** check_pkt_len(). */
export const CHECK_PKT_LEN: Members = new Members(
  [
    member("size", "u16", uapi.OVS_CHECK_PKT_LEN_ATTR_PKT_LEN, "bytes, not 0", { required: true }),
    member("gt", "actions", uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER, "for longer ones", {
      required: true,
    }),
    member("le", "actions", uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL, "for the others", {
      required: true,
    }),
  ],
  {
    // As check_pkt_len_action_to_attr() dumps them.
    order: [
      uapi.OVS_CHECK_PKT_LEN_ATTR_PKT_LEN,
      uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL,
      uapi.OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER,
    ],
  },
);

/** dec_ttl(). */
export const DEC_TTL: Members = new Members([
  member("le_1", "actions", uapi.OVS_DEC_TTL_ATTR_ACTION, "for packets whose TTL was 1 or 0", {
    required: true,
  }),
]);

/** psample(), the only nest that a kernel parses strictly. */
export const PSAMPLE: Members = new Members(
  [
    member("group", "u32", uapi.OVS_PSAMPLE_ATTR_GROUP, "psample group", { required: true }),
    member("cookie", "hex", uapi.OVS_PSAMPLE_ATTR_COOKIE, "bytes for the reader of the sample", {
      max: uapi.OVS_PSAMPLE_COOKIE_MAX_SIZE,
    }),
  ],
  { flagged: true },
);
