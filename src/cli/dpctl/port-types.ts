import type { PortInfo } from "../../ovs/vport.ts";

/** A kind of tunnel: the name of its port's device, and its UDP port if it has one. */
type TunnelType = {
  readonly type: string;
  readonly device: string;
  readonly port?: number;
  /** What OVS prints besides the port: it looks at the type, not at the device. */
  readonly shown?: string;
};

/** `vport_classes` in OVS's lib/netdev-vport.c: a port's type follows from the device's name. */
const TUNNELS: readonly TunnelType[] = [
  { type: "geneve", device: "genev_sys", port: 6081 },
  { type: "gre", device: "gre_sys" },
  { type: "ip6gre", device: "ip6gre_sys" },
  { type: "vxlan", device: "vxlan_sys", port: 4789 },
  { type: "lisp", device: "lisp_sys", port: 4341 },
  { type: "stt", device: "stt_sys", port: 7471 },
  { type: "erspan", device: "erspan_sys", shown: "erspan_ver=0" },
  { type: "ip6erspan", device: "ip6erspan_sys", shown: "erspan_ver=0" },
  { type: "gtpu", device: "gtpu_sys", port: 2152 },
  { type: "bareudp", device: "bareudp_sys" },
];

/** The type of a port in ovs-dpctl's words: `system` is an interface that exists. */
export function typeOf({ name, type }: PortInfo): string {
  if (type !== "netdev") return type;
  return TUNNELS.find(({ device }) => name.startsWith(device))?.type ?? "system";
}

/** What `show` prints after a port's name: type and options, unless it is a plain interface. */
export function shownType(port: PortInfo): string {
  const type = typeOf(port);
  if (type === "system") return "";
  const tunnel = TUNNELS.find((known) => known.type === type);
  if (tunnel === undefined) return ` (${type})`;
  const number = udpPortOf(port.name, tunnel);
  const options = [
    number === undefined || number === tunnel.port ? undefined : `dst_port=${number}`,
    tunnel.shown,
    "packet_type=ptap",
  ].filter((option) => option !== undefined);
  return ` (${type}: ${options.join(", ")})`;
}

/** The UDP port that a tunnel's device has in its name (`netdev_vport_construct`). */
function udpPortOf(name: string, { device, port }: TunnelType): number | undefined {
  const digits = name.startsWith(device)
    ? /^.(\d+)/.exec(name.slice(device.length))?.[1]
    : undefined;
  return digits === undefined ? port : Number(digits);
}

/** The tunnels that a kernel's datapath creates itself, with OVS's names for their devices. */
export const KERNEL_TUNNELS: readonly string[] = ["vxlan", "geneve", "gre"];

/** The device's name and UDP port of a new tunnel; `dst_port` is its option of that name. */
export function tunnelDevice(
  type: string,
  dstPort: number | undefined,
): { name: string; udpPort: number | undefined } {
  const tunnel = TUNNELS.find((known) => known.type === type);
  const udpPort = tunnel?.port === undefined ? undefined : (dstPort ?? tunnel.port);
  const base = tunnel?.device ?? type;
  return { name: udpPort === undefined ? base : `${base}_${udpPort}`, udpPort };
}
