/** {@link ConnectionTuple.family} of IPv4. */
export const AF_INET = 2;
/** {@link ConnectionTuple.family} of IPv6. */
export const AF_INET6 = 10;

/** One direction of a connection. The addresses have 4 or 16 bytes. */
export type ConnectionTuple = {
  readonly family: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  /** 0 if the protocol has none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmp: { readonly id: number; readonly type: number; readonly code: number } | undefined;
};

/** The counters of a direction; undefined if nf_conntrack_acct is off. */
export type ConnectionCounters = { readonly packets: bigint; readonly bytes: bigint };

/** The state of a protocol, with the kernel's numbers. */
export type ProtocolState =
  | {
      readonly protocol: "tcp";
      readonly state: number;
      readonly windowScale: readonly [original: number, reply: number];
      readonly flags: readonly [original: number, reply: number];
    }
  | {
      readonly protocol: "sctp";
      readonly state: number;
      readonly tags: readonly [original: number, reply: number];
    };

/** A connection as the kernel's tracker knows it (ctnetlink). */
export type Connection = {
  readonly original: ConnectionTuple;
  readonly reply: ConnectionTuple;
  /** The connection to which it belongs, as FTP's data connection does. */
  readonly parent: ConnectionTuple | undefined;
  readonly id: number;
  readonly zone: number;
  /** IPS_* bits. */
  readonly status: number;
  /** Seconds. */
  readonly timeout: number;
  readonly mark: number;
  /** 16 bytes, the lowest bit first; undefined if it has none. */
  readonly labels: Uint8Array | undefined;
  readonly counters: readonly [ConnectionCounters | undefined, ConnectionCounters | undefined];
  /** Nanoseconds since 1970; undefined if nf_conntrack_timestamp is off. */
  readonly timestamp: { readonly start: bigint; readonly stop: bigint } | undefined;
  readonly state: ProtocolState | undefined;
  readonly helper: string | undefined;
};
