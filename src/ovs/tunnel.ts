import { U16_MAX } from "../flow/bytes.ts";
import { existsSync } from "node:fs";
import { AttributeReader } from "../netlink/attribute-reader.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import * as A from "../uapi/openvswitch.ts";
import { checkNumber, usage } from "./check.ts";

/** Options of a tunnel port. GRE and all other kinds of ports have none. */
export type TunnelOptions = {
  /** UDP port from 1 on; by default IANA's, 4789 for VXLAN and 6081 for Geneve. */
  readonly destinationPort?: number;
  /** VXLAN's group policy extension (A.OVS_VXLAN_EXT_GBP). */
  readonly groupPolicy?: boolean;
};

/** The kernel requires a port for both (vport-vxlan.c, vport-geneve.c). */
const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ["vxlan", 4789],
  ["geneve", 6081],
]);

/**
 * Loads the modules of a tunnel type beforehand, to avoid a deadlock in the kernel. When asked for
 * such a port, the kernel waits for modprobe with its locks held: genl's (cb_lock) for the port's
 * module, the RTNL for the `net-pf-10` of the tunnel's socket. If ipv6 is a module that is not
 * loaded yet, loading it needs both locks, and all of netlink blocks forever. Does nothing if ipv6
 * is loaded.
 */
export function loadTunnelModules(type: string): void {
  if (type === "netdev" || type === "internal" || existsSync("/sys/module/ipv6")) return;
  const modprobe = Bun.which("modprobe");
  if (modprobe === null) return;
  // If a module cannot be loaded, the kernel's error will say so.
  for (const module of ["ipv6", `vport-${type}`]) {
    Bun.spawnSync([modprobe, "-q", module], { stdout: "ignore", stderr: "ignore" });
  }
}

/**
 * @throws MillraceError `USAGE` for an option that ports of this type do not have, or an invalid
 * one
 */
export function checkTunnel(type: string, { destinationPort, groupPolicy }: TunnelOptions): void {
  if (destinationPort !== undefined) {
    if (!DEFAULT_PORTS.has(type)) throw usage(`a port of type ${type} has no destination port`);
    checkNumber("destination port", destinationPort, 1, U16_MAX);
  }
  if (groupPolicy !== undefined && type !== "vxlan") {
    throw usage(`a port of type ${type} has no group policy extension`);
  }
}

/** Writes A.OVS_VPORT_ATTR_OPTIONS for a port of this type; nothing for a type without options. */
export function putTunnel(writer: AttributeWriter, type: string, options: TunnelOptions): void {
  const port = options.destinationPort ?? DEFAULT_PORTS.get(type);
  if (port === undefined) return;
  const nest = writer.nest(A.OVS_VPORT_ATTR_OPTIONS);
  writer.u16(A.OVS_TUNNEL_ATTR_DST_PORT, port);
  if (options.groupPolicy === true) {
    const extension = writer.nest(A.OVS_TUNNEL_ATTR_EXTENSION);
    writer.flag(A.OVS_VXLAN_EXT_GBP);
    writer.endNest(extension);
  }
  writer.endNest(nest);
}

/** Reads the payload of A.OVS_VPORT_ATTR_OPTIONS. */
export function decodeTunnel(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): TunnelOptions {
  const found: { destinationPort?: number; groupPolicy?: boolean } = {};
  const reader = new AttributeReader().reset(bytes, start, end);
  while (reader.next()) {
    if (reader.type === A.OVS_TUNNEL_ATTR_DST_PORT && reader.length >= 2) {
      found.destinationPort = view.getUint16(reader.start, true);
    } else if (reader.type === A.OVS_TUNNEL_ATTR_EXTENSION) {
      const inner = new AttributeReader().reset(bytes, reader.start, reader.start + reader.length);
      while (inner.next()) if (inner.type === A.OVS_VXLAN_EXT_GBP) found.groupPolicy = true;
    }
  }
  return found;
}
