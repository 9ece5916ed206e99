/**
 * The constants of linux/openvswitch.h, with the kernel's own names. That header is the source: the
 * kernel's YNL file ovs_flow.yaml leaves out DROP and so misnumbers PSAMPLE.
 */

// Generic netlink families: name, version, multicast group.
export const OVS_DATAPATH_FAMILY = "ovs_datapath";
export const OVS_DATAPATH_MCGROUP = "ovs_datapath";
export const OVS_DATAPATH_VERSION = 2;
export const OVS_VPORT_FAMILY = "ovs_vport";
export const OVS_VPORT_MCGROUP = "ovs_vport";
export const OVS_VPORT_VERSION = 1;
export const OVS_FLOW_FAMILY = "ovs_flow";
export const OVS_FLOW_MCGROUP = "ovs_flow";
export const OVS_FLOW_VERSION = 1;
export const OVS_PACKET_FAMILY = "ovs_packet";
export const OVS_PACKET_VERSION = 1;
export const OVS_METER_FAMILY = "ovs_meter";
export const OVS_METER_MCGROUP = "ovs_meter";
export const OVS_METER_VERSION = 1;
export const OVS_CT_LIMIT_FAMILY = "ovs_ct_limit";
export const OVS_CT_LIMIT_MCGROUP = "ovs_ct_limit";
export const OVS_CT_LIMIT_VERSION = 1;

/** Bytes of `struct ovs_header { int dp_ifindex; }`, the user header of every family. */
export const OVS_HEADER_SIZE = 4;

// User features of a datapath (OVS_DP_ATTR_USER_FEATURES).
export const OVS_DP_F_UNALIGNED = 1;
export const OVS_DP_F_VPORT_PIDS = 2;
export const OVS_DP_F_TC_RECIRC_SHARING = 4;
export const OVS_DP_F_DISPATCH_UPCALL_PER_CPU = 8;

// What a reply or dump may leave out (OVS_FLOW_ATTR_UFID_FLAGS).
export const OVS_UFID_F_OMIT_KEY = 1;
export const OVS_UFID_F_OMIT_MASK = 2;
export const OVS_UFID_F_OMIT_ACTIONS = 4;

// Bits of OVS_KEY_ATTR_CT_STATE.
export const OVS_CS_F_NEW = 0x01;
export const OVS_CS_F_ESTABLISHED = 0x02;
export const OVS_CS_F_RELATED = 0x04;
export const OVS_CS_F_REPLY_DIR = 0x08;
export const OVS_CS_F_INVALID = 0x10;
export const OVS_CS_F_TRACKED = 0x20;
export const OVS_CS_F_SRC_NAT = 0x40;
export const OVS_CS_F_DST_NAT = 0x80;

/** Bytes of conntrack labels. */
export const OVS_CT_LABELS_LEN = 16;

/** In OVS_ACTION_ATTR_ADD_MPLS: the label stack goes in front of the layer 3 header. */
export const OVS_MPLS_L3_TUNNEL_FLAG_MASK = 1;

/** The zone that stands for the default limit. */
export const OVS_ZONE_LIMIT_DEFAULT_ZONE = -1;

// Attributes in OVS_ACTION_ATTR_PSAMPLE.
export const OVS_PSAMPLE_ATTR_GROUP = 1;
export const OVS_PSAMPLE_ATTR_COOKIE = 2;

/** Bytes of the longest psample cookie. */
export const OVS_PSAMPLE_COOKIE_MAX_SIZE = 16;

// Counters in OVS_VPORT_ATTR_UPCALL_STATS.
export const OVS_VPORT_UPCALL_ATTR_SUCCESS = 0;
export const OVS_VPORT_UPCALL_ATTR_FAIL = 1;

// Commands of the family ovs_datapath.
export const OVS_DP_CMD_NEW = 1;
export const OVS_DP_CMD_DEL = 2;
export const OVS_DP_CMD_GET = 3;
export const OVS_DP_CMD_SET = 4;

// Attributes of a datapath.
export const OVS_DP_ATTR_NAME = 1;
export const OVS_DP_ATTR_UPCALL_PID = 2;
export const OVS_DP_ATTR_STATS = 3;
export const OVS_DP_ATTR_MEGAFLOW_STATS = 4;
export const OVS_DP_ATTR_USER_FEATURES = 5;
export const OVS_DP_ATTR_PAD = 6;
export const OVS_DP_ATTR_MASKS_CACHE_SIZE = 7;
export const OVS_DP_ATTR_PER_CPU_PIDS = 8;
export const OVS_DP_ATTR_IFINDEX = 9;

// Commands of the family ovs_packet: MISS and ACTION come from the kernel.
export const OVS_PACKET_CMD_MISS = 1;
export const OVS_PACKET_CMD_ACTION = 2;
export const OVS_PACKET_CMD_EXECUTE = 3;

// Attributes of a packet.
export const OVS_PACKET_ATTR_PACKET = 1;
export const OVS_PACKET_ATTR_KEY = 2;
export const OVS_PACKET_ATTR_ACTIONS = 3;
export const OVS_PACKET_ATTR_USERDATA = 4;
export const OVS_PACKET_ATTR_EGRESS_TUN_KEY = 5;
export const OVS_PACKET_ATTR_PROBE = 8;
export const OVS_PACKET_ATTR_MRU = 9;
export const OVS_PACKET_ATTR_LEN = 10;
export const OVS_PACKET_ATTR_HASH = 11;
export const OVS_PACKET_ATTR_UPCALL_PID = 12;

// Commands of the family ovs_vport.
export const OVS_VPORT_CMD_NEW = 1;
export const OVS_VPORT_CMD_DEL = 2;
export const OVS_VPORT_CMD_GET = 3;
export const OVS_VPORT_CMD_SET = 4;

// Types of ports.
export const OVS_VPORT_TYPE_NETDEV = 1;
export const OVS_VPORT_TYPE_INTERNAL = 2;
export const OVS_VPORT_TYPE_GRE = 3;
export const OVS_VPORT_TYPE_VXLAN = 4;
export const OVS_VPORT_TYPE_GENEVE = 5;

// Attributes of a port.
export const OVS_VPORT_ATTR_PORT_NO = 1;
export const OVS_VPORT_ATTR_TYPE = 2;
export const OVS_VPORT_ATTR_NAME = 3;
export const OVS_VPORT_ATTR_OPTIONS = 4;
export const OVS_VPORT_ATTR_UPCALL_PID = 5;
export const OVS_VPORT_ATTR_STATS = 6;
export const OVS_VPORT_ATTR_PAD = 7;
export const OVS_VPORT_ATTR_IFINDEX = 8;
export const OVS_VPORT_ATTR_NETNSID = 9;
export const OVS_VPORT_ATTR_UPCALL_STATS = 10;

// Extensions of a VXLAN port.
export const OVS_VXLAN_EXT_GBP = 1;

// Attributes in OVS_VPORT_ATTR_OPTIONS.
export const OVS_TUNNEL_ATTR_DST_PORT = 1;
export const OVS_TUNNEL_ATTR_EXTENSION = 2;

// Commands of the family ovs_flow.
export const OVS_FLOW_CMD_NEW = 1;
export const OVS_FLOW_CMD_DEL = 2;
export const OVS_FLOW_CMD_GET = 3;
export const OVS_FLOW_CMD_SET = 4;

// Attributes of a flow key.
export const OVS_KEY_ATTR_ENCAP = 1;
export const OVS_KEY_ATTR_PRIORITY = 2;
export const OVS_KEY_ATTR_IN_PORT = 3;
export const OVS_KEY_ATTR_ETHERNET = 4;
export const OVS_KEY_ATTR_VLAN = 5;
export const OVS_KEY_ATTR_ETHERTYPE = 6;
export const OVS_KEY_ATTR_IPV4 = 7;
export const OVS_KEY_ATTR_IPV6 = 8;
export const OVS_KEY_ATTR_TCP = 9;
export const OVS_KEY_ATTR_UDP = 10;
export const OVS_KEY_ATTR_ICMP = 11;
export const OVS_KEY_ATTR_ICMPV6 = 12;
export const OVS_KEY_ATTR_ARP = 13;
export const OVS_KEY_ATTR_ND = 14;
export const OVS_KEY_ATTR_SKB_MARK = 15;
export const OVS_KEY_ATTR_TUNNEL = 16;
export const OVS_KEY_ATTR_SCTP = 17;
export const OVS_KEY_ATTR_TCP_FLAGS = 18;
export const OVS_KEY_ATTR_DP_HASH = 19;
export const OVS_KEY_ATTR_RECIRC_ID = 20;
export const OVS_KEY_ATTR_MPLS = 21;
export const OVS_KEY_ATTR_CT_STATE = 22;
export const OVS_KEY_ATTR_CT_ZONE = 23;
export const OVS_KEY_ATTR_CT_MARK = 24;
export const OVS_KEY_ATTR_CT_LABELS = 25;
export const OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV4 = 26;
export const OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV6 = 27;
export const OVS_KEY_ATTR_NSH = 28;
export const OVS_KEY_ATTR_PACKET_TYPE = 29;
export const OVS_KEY_ATTR_ND_EXTENSIONS = 30;
export const OVS_KEY_ATTR_TUNNEL_INFO = 31;
export const OVS_KEY_ATTR_IPV6_EXTHDRS = 32;

// Attributes in OVS_KEY_ATTR_TUNNEL.
export const OVS_TUNNEL_KEY_ATTR_ID = 0;
export const OVS_TUNNEL_KEY_ATTR_IPV4_SRC = 1;
export const OVS_TUNNEL_KEY_ATTR_IPV4_DST = 2;
export const OVS_TUNNEL_KEY_ATTR_TOS = 3;
export const OVS_TUNNEL_KEY_ATTR_TTL = 4;
export const OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT = 5;
export const OVS_TUNNEL_KEY_ATTR_CSUM = 6;
export const OVS_TUNNEL_KEY_ATTR_OAM = 7;
export const OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS = 8;
export const OVS_TUNNEL_KEY_ATTR_TP_SRC = 9;
export const OVS_TUNNEL_KEY_ATTR_TP_DST = 10;
export const OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS = 11;
export const OVS_TUNNEL_KEY_ATTR_IPV6_SRC = 12;
export const OVS_TUNNEL_KEY_ATTR_IPV6_DST = 13;
export const OVS_TUNNEL_KEY_ATTR_PAD = 14;
export const OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS = 15;
export const OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE = 16;

// Values of the frag field.
export const OVS_FRAG_TYPE_NONE = 0;
export const OVS_FRAG_TYPE_FIRST = 1;
export const OVS_FRAG_TYPE_LATER = 2;

// Attributes in OVS_KEY_ATTR_NSH.
export const OVS_NSH_KEY_ATTR_BASE = 1;
export const OVS_NSH_KEY_ATTR_MD1 = 2;
export const OVS_NSH_KEY_ATTR_MD2 = 3;

// Attributes of a flow.
export const OVS_FLOW_ATTR_KEY = 1;
export const OVS_FLOW_ATTR_ACTIONS = 2;
export const OVS_FLOW_ATTR_STATS = 3;
export const OVS_FLOW_ATTR_TCP_FLAGS = 4;
export const OVS_FLOW_ATTR_USED = 5;
export const OVS_FLOW_ATTR_CLEAR = 6;
export const OVS_FLOW_ATTR_MASK = 7;
export const OVS_FLOW_ATTR_PROBE = 8;
export const OVS_FLOW_ATTR_UFID = 9;
export const OVS_FLOW_ATTR_UFID_FLAGS = 10;
export const OVS_FLOW_ATTR_PAD = 11;

// Attributes in OVS_ACTION_ATTR_SAMPLE.
export const OVS_SAMPLE_ATTR_PROBABILITY = 1;
export const OVS_SAMPLE_ATTR_ACTIONS = 2;

// Attributes in OVS_ACTION_ATTR_USERSPACE.
export const OVS_USERSPACE_ATTR_PID = 1;
export const OVS_USERSPACE_ATTR_USERDATA = 2;
export const OVS_USERSPACE_ATTR_EGRESS_TUN_PORT = 3;
export const OVS_USERSPACE_ATTR_ACTIONS = 4;

// Algorithms of OVS_ACTION_ATTR_HASH.
export const OVS_HASH_ALG_L4 = 0;
export const OVS_HASH_ALG_SYM_L4 = 1;

// Attributes in OVS_ACTION_ATTR_CT.
export const OVS_CT_ATTR_COMMIT = 1;
export const OVS_CT_ATTR_ZONE = 2;
export const OVS_CT_ATTR_MARK = 3;
export const OVS_CT_ATTR_LABELS = 4;
export const OVS_CT_ATTR_HELPER = 5;
export const OVS_CT_ATTR_NAT = 6;
export const OVS_CT_ATTR_FORCE_COMMIT = 7;
export const OVS_CT_ATTR_EVENTMASK = 8;
export const OVS_CT_ATTR_TIMEOUT = 9;

// Attributes in OVS_CT_ATTR_NAT.
export const OVS_NAT_ATTR_SRC = 1;
export const OVS_NAT_ATTR_DST = 2;
export const OVS_NAT_ATTR_IP_MIN = 3;
export const OVS_NAT_ATTR_IP_MAX = 4;
export const OVS_NAT_ATTR_PROTO_MIN = 5;
export const OVS_NAT_ATTR_PROTO_MAX = 6;
export const OVS_NAT_ATTR_PERSISTENT = 7;
export const OVS_NAT_ATTR_PROTO_HASH = 8;
export const OVS_NAT_ATTR_PROTO_RANDOM = 9;

// Attributes in OVS_ACTION_ATTR_CHECK_PKT_LEN.
export const OVS_CHECK_PKT_LEN_ATTR_PKT_LEN = 1;
export const OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER = 2;
export const OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL = 3;

// Actions.
export const OVS_ACTION_ATTR_OUTPUT = 1;
export const OVS_ACTION_ATTR_USERSPACE = 2;
export const OVS_ACTION_ATTR_SET = 3;
export const OVS_ACTION_ATTR_PUSH_VLAN = 4;
export const OVS_ACTION_ATTR_POP_VLAN = 5;
export const OVS_ACTION_ATTR_SAMPLE = 6;
export const OVS_ACTION_ATTR_RECIRC = 7;
export const OVS_ACTION_ATTR_HASH = 8;
export const OVS_ACTION_ATTR_PUSH_MPLS = 9;
export const OVS_ACTION_ATTR_POP_MPLS = 10;
export const OVS_ACTION_ATTR_SET_MASKED = 11;
export const OVS_ACTION_ATTR_CT = 12;
export const OVS_ACTION_ATTR_TRUNC = 13;
export const OVS_ACTION_ATTR_PUSH_ETH = 14;
export const OVS_ACTION_ATTR_POP_ETH = 15;
export const OVS_ACTION_ATTR_CT_CLEAR = 16;
export const OVS_ACTION_ATTR_PUSH_NSH = 17;
export const OVS_ACTION_ATTR_POP_NSH = 18;
export const OVS_ACTION_ATTR_METER = 19;
export const OVS_ACTION_ATTR_CLONE = 20;
export const OVS_ACTION_ATTR_CHECK_PKT_LEN = 21;
export const OVS_ACTION_ATTR_ADD_MPLS = 22;
export const OVS_ACTION_ATTR_DEC_TTL = 23;
export const OVS_ACTION_ATTR_DROP = 24;
export const OVS_ACTION_ATTR_PSAMPLE = 25;

// Commands of the family ovs_meter.
export const OVS_METER_CMD_FEATURES = 1;
export const OVS_METER_CMD_SET = 2;
export const OVS_METER_CMD_DEL = 3;
export const OVS_METER_CMD_GET = 4;

// Attributes of a meter.
export const OVS_METER_ATTR_ID = 1;
export const OVS_METER_ATTR_KBPS = 2;
export const OVS_METER_ATTR_STATS = 3;
export const OVS_METER_ATTR_BANDS = 4;
export const OVS_METER_ATTR_USED = 5;
export const OVS_METER_ATTR_CLEAR = 6;
export const OVS_METER_ATTR_MAX_METERS = 7;
export const OVS_METER_ATTR_MAX_BANDS = 8;
export const OVS_METER_ATTR_PAD = 9;

// Attributes in a band of a meter.
export const OVS_BAND_ATTR_TYPE = 1;
export const OVS_BAND_ATTR_RATE = 2;
export const OVS_BAND_ATTR_BURST = 3;
export const OVS_BAND_ATTR_STATS = 4;

// Types of bands.
export const OVS_METER_BAND_TYPE_DROP = 1;

// Commands of the family ovs_ct_limit.
export const OVS_CT_LIMIT_CMD_SET = 1;
export const OVS_CT_LIMIT_CMD_DEL = 2;
export const OVS_CT_LIMIT_CMD_GET = 3;

// Attributes of a conntrack limit.
export const OVS_CT_LIMIT_ATTR_ZONE_LIMIT = 1;

// Attributes in OVS_ACTION_ATTR_DEC_TTL.
export const OVS_DEC_TTL_ATTR_ACTION = 1;
