"""The Python route: pyroute2's generic netlink socket, one message built and sent a flow, as its users do.

  python3 pyroute.py DATAPATH FLOWS FIRST

Encodes the sample's flows itself from Python values. Prints one line of JSON.
"""

import json
import socket
import struct
import sys
import time

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST, genlmsg, nla
from pyroute2.netlink.generic import GenericNetlinkSocket

OVS_FLOW_CMD_NEW = 1
OVS_FLOW_CMD_DEL = 2


class flow_key(nla):
    nla_map = (
        ('OVS_KEY_ATTR_UNSPEC', 'none'),
        ('OVS_KEY_ATTR_ENCAP', 'none'),
        ('OVS_KEY_ATTR_PRIORITY', 'uint32'),
        ('OVS_KEY_ATTR_IN_PORT', 'uint32'),
        ('OVS_KEY_ATTR_ETHERNET', 'cdata'),
        ('OVS_KEY_ATTR_VLAN', 'be16'),
        ('OVS_KEY_ATTR_ETHERTYPE', 'be16'),
        ('OVS_KEY_ATTR_IPV4', 'cdata'),
        ('OVS_KEY_ATTR_IPV6', 'cdata'),
        ('OVS_KEY_ATTR_TCP', 'cdata'),
        ('OVS_KEY_ATTR_UDP', 'cdata'),
    )


class flow_actions(nla):
    nla_map = (('OVS_ACTION_ATTR_UNSPEC', 'none'), ('OVS_ACTION_ATTR_OUTPUT', 'uint32'))


class ovs_flow(genlmsg):
    fields = genlmsg.fields + (('dp_ifindex', 'I'),)
    nla_map = (
        ('OVS_FLOW_ATTR_UNSPEC', 'none'),
        ('OVS_FLOW_ATTR_KEY', 'key'),
        ('OVS_FLOW_ATTR_ACTIONS', 'actions'),
        ('OVS_FLOW_ATTR_STATS', 'cdata'),
        ('OVS_FLOW_ATTR_TCP_FLAGS', 'uint8'),
        ('OVS_FLOW_ATTR_USED', 'uint64'),
        ('OVS_FLOW_ATTR_CLEAR', 'flag'),
        ('OVS_FLOW_ATTR_MASK', 'key'),
    )
    key = flow_key
    actions = flow_actions


def flow(index, datapath):
    message = ovs_flow()
    message['cmd'] = OVS_FLOW_CMD_NEW
    message['version'] = 1
    message['dp_ifindex'] = datapath
    source = bytes((10, index >> 16 & 255, index >> 8 & 255, index & 255))
    destination = bytes((192, 168, index >> 24 & 63, 100 + index % 100))
    message['attrs'] = [
        ('OVS_FLOW_ATTR_KEY', {'attrs': [
            ('OVS_KEY_ATTR_IN_PORT', 1),
            ('OVS_KEY_ATTR_ETHERNET', bytes.fromhex('020000000001020000000002')),
            ('OVS_KEY_ATTR_ETHERTYPE', 0x0800),
            ('OVS_KEY_ATTR_IPV4', source + destination + bytes((17, 0, 64, 0))),
            ('OVS_KEY_ATTR_UDP', struct.pack('>HH', 10000 + index % 50000, 53)),
        ]}),
        ('OVS_FLOW_ATTR_MASK', {'attrs': [
            ('OVS_KEY_ATTR_IN_PORT', 0xffffffff),
            ('OVS_KEY_ATTR_ETHERNET', b'\xff' * 12),
            ('OVS_KEY_ATTR_ETHERTYPE', 0xffff),
            ('OVS_KEY_ATTR_IPV4', b'\xff' * 12),
            ('OVS_KEY_ATTR_UDP', b'\xff' * 4),
        ]}),
        ('OVS_FLOW_ATTR_ACTIONS', {'attrs': [('OVS_ACTION_ATTR_OUTPUT', 2)]}),
    ]
    return message


def peak_resident_bytes():
    """VmHWM: ru_maxrss keeps the parent's peak over exec."""
    with open('/proc/self/status') as status:
        found = [int(line.split()[1]) for line in status if line.startswith('VmHWM:')]
    return found[0] * 1024 if found else 0


def main():
    datapath = socket.if_nametoindex(sys.argv[1])
    count = int(sys.argv[2])
    first = int(sys.argv[3])
    with GenericNetlinkSocket() as route:
        route.bind('ovs_flow', ovs_flow)
        flags = NLM_F_REQUEST | NLM_F_ACK
        started = time.monotonic()
        for index in range(first, first + count):
            route.nlm_request(flow(index, datapath), msg_type=route.prid, msg_flags=flags)
        seconds = time.monotonic() - started
    report = {'flows': count, 'seconds': seconds, 'peakResidentBytes': peak_resident_bytes()}
    print(json.dumps(report))


main()
