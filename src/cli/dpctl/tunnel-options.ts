import { isIP, isIPv4 } from "node:net";
import type { TunnelOptions } from "../../ovs/tunnel.ts";

/**
 * Options that every tunnel has in OVS (`set_tunnel_config` in lib/netdev-vport.c). The kernel's
 * port has none of them: flows set and match them.
 */
const COMMON = new Set(["tos", "ttl", "df_default", "key", "in_key", "out_key", "packet_type"]);

/** Options of some types, in addition to {@link COMMON}. */
const OF_TYPE: Readonly<Record<string, readonly string[]>> = {
  vxlan: ["dst_port", "csum", "exts", "egress_pkt_mark"],
  geneve: ["dst_port", "csum", "exts", "egress_pkt_mark"],
  gre: ["csum", "seq", "exts", "egress_pkt_mark"],
};

/**
 * The verdict on a tunnel's options: warnings, with which the port can be made, and problems, with
 * which it cannot.
 */
type TunnelVerdict = { readonly warnings: readonly string[]; readonly problem?: string };

/** Checks the options of a tunnel as OVS does: most errors only cause warnings. */
export function judgeTunnel(type: string, options: ReadonlyMap<string, string>): TunnelVerdict {
  const warnings: string[] = [];
  for (const [key, value] of options) {
    if (key === "remote_ip" || key === "local_ip") {
      if (!isAddress(value)) warnings.push(`bad ${type} '${key}'`);
    } else if (key === "tos" && !isTos(value)) warnings.push(`invalid TOS ${value}`);
    else if (key === "exts" && (type !== "vxlan" || value !== "gbp")) {
      warnings.push(`unknown extension '${value}'`);
    } else if (!COMMON.has(key) && !OF_TYPE[type]?.includes(key)) {
      warnings.push(`unknown ${type} argument '${key}'`);
    }
  }
  const problem = addressProblem(type, options.get("remote_ip"), options.get("local_ip"));
  return problem === undefined ? { warnings } : { warnings, problem };
}

/** The options of the kernel's port; their numbers are not checked here. */
export function kernelOptions(
  type: string,
  udpPort: number | undefined,
  options: ReadonlyMap<string, string>,
): TunnelOptions {
  return {
    ...(udpPort === undefined ? {} : { destinationPort: udpPort }),
    ...(type === "vxlan" && options.get("exts") === "gbp" ? { groupPolicy: true } : {}),
  };
}

function isAddress(text: string): boolean {
  return text === "flow" || isIP(text) !== 0;
}

// Whether a text is a valid TOS: the two ECN bits must be 0.
function isTos(text: string): boolean {
  return text === "inherit" || (/^(0x[0-9a-f]+|\d+)$/i.test(text) && (Number(text) & ~0xfc) === 0);
}

function addressProblem(
  type: string,
  remote: string | undefined,
  local: string | undefined,
): string | undefined {
  if (remote === undefined || !isAddress(remote)) {
    return `${type} type requires valid 'remote_ip' argument`;
  }
  if (isMulticast(remote)) return `multicast remote_ip=${remote} not allowed`;
  if (local === undefined || !isAddress(local)) return undefined;
  if (local === "flow" && remote !== "flow") {
    return `${type} type requires 'remote_ip=flow' with 'local_ip=flow'`;
  }
  if (local === "flow" || remote === "flow" || isIP(local) === isIP(remote)) return undefined;
  return "'remote_ip' and 'local_ip' has to be of the same address family";
}

function isMulticast(address: string): boolean {
  if (isIPv4(address)) return (Number.parseInt(address, 10) & 0xf0) === 0xe0;
  return /^ff/i.test(address);
}
