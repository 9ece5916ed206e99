/** What `help` prints. */
export const HELP = `millrace dpctl: manages the kernel's datapaths with the commands of ovs-dpctl
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
  mod-flow [DP] FLOW ACTIONS   change a flow's actions; mod-flow DP FLOW keeps them
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
IFACE is NAME[,type=TYPE][,port_no=N][,KEY=VALUE]... TYPE is system, internal, vxlan, geneve or gre;
the types ip6gre, erspan, ip6erspan and bareudp are not supported. If there is only one datapath,
most commands do not need DP.
A filter consists of OpenFlow fields, each with one value: filter=tcp,nw_src=10.0.0.1,in_port=2.
Fields that a datapath's key lacks are unknown: metadata, registers, conj_id, tun_metadata, tun_gtpu.

Options:
  -s, --statistics    print counters: show of ports; add-flow, mod-flow and del-flow of the flow
  -m, --more          dump-flows: also print UFIDs, wildcarded fields and names of ports
  --names, --no-names print ports by name, or by number
  --may-create        mod-flow: create the flow if it does not exist
  --clear             mod-flow: reset the flow's counters
  --read-only         refuse commands that change something
  -t, --timeout=SECS  give up after SECS seconds (commands that read a file)
  -h, --help          this help
  -V, --version       the version

Arguments, output and files are those of ovs-dpctl. Flows are identified by their keys, and get no
UFIDs. These are the differences:
  exit status  0 all done; 1 something failed, which ovs-dpctl does not report for add-flows,
               mod-flows, del-flows FILE, get-flow and set-if; 4 interrupted
  files        are sent in packed transactions; errors have line numbers; -s prints nothing
  errors       begin as ovs-dpctl's, and add the reason
  input        may be anything that 'millrace load' reads, ovs-dpctl's own dumps included
  add-dp, add-if  undo what they did if they fail
  filters      tp_src and tp_dst also match UDP and SCTP, nw_src, nw_dst and nw_proto also ARP; nd_*
               need no type
  numbers      that do not fit are errors; ovs-dpctl changes some zones and sizes silently
  datapaths    are listed in the kernel's order
  tunnels      are ports of the kernel's own types, with counters
  ct-del-limits, ct-set-limits without a limit are errors; 'default' can be deleted
  logging      options (-v, --log-file, --syslog-*) are accepted and have no effect

Examples:
  millrace dpctl add-dp lab0 veth0 veth1
  millrace dpctl add-flow lab0 'in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)' 2
  millrace dpctl add-flows lab0 flows.txt
  millrace dpctl dump-flows -m lab0
  alias ovs-dpctl='millrace dpctl'

parse-actions and normalize-actions are missing; they serve ovs-dpctl's own tests.
`;
