/** What `help` prints. */
export const HELP = `millrace dpctl: manages datapaths of the kernel as ovs-dpctl does
usage: millrace dpctl [OPTIONS] COMMAND [ARG...]
  add-dp DP [IFACE...]         add a datapath, with interfaces
  del-dp DP                    delete a datapath
  add-if DP IFACE...           add interfaces as ports
  set-if DP IFACE...           change the options of ports
  del-if DP IFACE...           delete ports, by name or number
  dump-dps                     the names of all datapaths
  show [DP...]                 datapaths, their counters and ports
  dump-flows [DP] [filter=F] [type=T]  the flows of a datapath
  add-flow [DP] FLOW ACTIONS   add a flow
  mod-flow [DP] FLOW ACTIONS   change a flow's actions; mod-flow DP FLOW leaves it those that it has
  get-flow [DP] ufid:UFID      show one flow
  del-flow [DP] FLOW           delete a flow
  add-flows [DP] FILE          add the flows in FILE, - is standard input
  mod-flows [DP] FILE          change the flows in FILE
  del-flows [DP] [FILE]        delete all flows, or those in FILE
  cache-get-size [DP]          the sizes of caches
  cache-set-size DP CACHE SIZE change the size of a cache
  dump-conntrack [DP] [zone=N] the connections that the kernel tracks
  flush-conntrack [DP] [zone=N] [mark=X[/M]] [labels=Y[/N]] [TUPLE [TUPLE]]
                               forget connections
  ct-stats-show [DP] [zone=N] [verbose]  connections by protocol
  ct-set-limits [DP] [default=L] [zone=N,limit=L]...
  ct-get-limits [DP] [zone=N[,N]...]
  ct-del-limits [DP] [default] [zone=N[,N]...]
  list-commands                every command with its arguments
An IFACE is NAME[,type=TYPE][,port_no=N][,KEY=VALUE]..., TYPE one of system, internal, vxlan,
geneve, gre; nothing else that OVS makes by itself: ip6gre, erspan, ip6erspan, bareudp. DP may be left out of most commands where there is only one datapath.
A FLOW filter is of OpenFlow fields with one value each: filter=tcp,nw_src=10.0.0.1,in_port=2.
Fields that no key of a datapath has are unknown here: metadata, registers, conj_id, tun_metadata, tun_gtpu.

Options:
  -s, --statistics    show: counters of ports; add-flow, mod-flow, del-flow: those of the flow
  -m, --more          dump-flows: UFIDs and wildcarded fields too, names of ports
  --names, --no-names names of ports in the output
  --may-create        mod-flow: create the flow if it does not exist
  --clear             mod-flow: set its counters to zero
  --read-only         run no command that changes something
  -t, --timeout=SECS  add-flows and the like give up after SECS seconds
  -h, --help          this help
  -V, --version       the version

Arguments, output and files are ovs-dpctl's, and so are its flows: named by their keys, no UFID is
made up. What is different:
  exit status  0: all done; 1: something was not, which of add-flows, mod-flows, del-flows FILE,
               get-flow and set-if ovs-dpctl does not tell; 4: interrupted
  files        go in packed transactions: errors come with the number of the line. -s prints nothing
  errors       say why, after what ovs-dpctl says
  input        is what 'millrace load' reads: ovs-dpctl's language and what it prints but cannot read
  add-dp, add-if  take back what they made when they fail: the datapath, the port that is not brought up
  filters      tp_src, tp_dst are of UDP and SCTP too, nw_src, nw_dst, nw_proto of ARP; nd_* need no type
  zones        and sizes that do not fit are errors: ovs-dpctl makes other numbers of them
  datapaths    come in the order in which the kernel has them
  tunnels      are ports of the kernel's own types; counters of theirs are shown
  ct-del-limits, ct-set-limits without a limit  are errors; 'default' can be deleted
  logging      -v, --log-file and --syslog-* are taken and do nothing
Examples:
  millrace dpctl add-dp lab0 veth0 veth1
  millrace dpctl add-flow lab0 'in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)' 2
  millrace dpctl add-flows lab0 flows.txt
  millrace dpctl dump-flows -m lab0
  alias ovs-dpctl='millrace dpctl'

Not here: parse-actions and normalize-actions (ovs-dpctl has them for its own tests).
`;
