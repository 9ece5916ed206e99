/** The option `--where` of the commands that show flows or delete them. */
export const WHERE_OPTION: readonly [flags: string, description: string] = [
  "--where <FILTER>",
  "only flows that match this filter",
];

/** The help text about filters; docs/filter.md describes them in full. */
export const WHERE_HELP = `
A FILTER consists of conditions, joined by and, or, not and parentheses:
  FIELD               the flow matches the field, or has the header: tcp, vlan
  FIELD = V[/M]       the flow matches exactly this value and mask
  FIELD in V/M        all packets of the flow have such a value
  FIELD meets V/M     some packets of the flow may have such a value
  FIELD > V           also >=, <, <= and !=; the flow must match the whole field
  packets > N, bytes > N, used > SECONDS, used = never
  actions has NAME, output = PORT, ufid = UUID, owner = NAME
FIELD and V are written as in a flow: in_port = eth0, ipv4.dst in 10.0.0.0/8, ct_state in +est,
encap.eth_type = 0x0800. docs/filter.md describes filters in full.`;
