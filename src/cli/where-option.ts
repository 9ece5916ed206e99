/** The option `--where` of the commands that show flows or delete them. */
export const WHERE_OPTION: readonly [flags: string, description: string] = [
  "--where <FILTER>",
  "only flows of which this is true",
];

/** The help text about filters; docs/filter.md describes them in full. */
export const WHERE_HELP = `
A FILTER is conditions with and, or, not and parentheses:
  FIELD               the flow matches the field, or has the header: ct_state, vlan
  FIELD = V[/M]       it matches it with this value and mask; FIELD in V/M: all of its packets have
                      it; FIELD meets V/M: some of its packets may have it
  FIELD > V           also >=, <, <= and !=: of fields that are matched whole
  packets > N, bytes > N, used > SECONDS, used = never
  actions has NAME, output = PORT, ufid = UUID, owner = NAME
A FIELD is the name of a key and of its field, and V a value, as in a flow: in_port = eth0, ipv4.dst
in 10.0.0.0/8, ct_state in +est, encap.eth_type = 0x0800. docs/filter.md has all of it.`;
