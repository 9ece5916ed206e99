import { EINVAL, EOPNOTSUPP } from "../sys/errno.ts";
import * as A from "../uapi/openvswitch.ts";
import { OvsFamily } from "./ovs-family.ts";
import { headOf, ovsAttributes } from "./ovs-message.ts";
import type { Request } from "./wire.ts";

// The family ovs_ct_limit of a kernel in memory.

const ENTRY_BYTES = 12;
const ZONE_MAX = 0xffff;

/** Limits of connections as net/openvswitch/conntrack.c has them; no connection is tracked. */
export class CtLimitFamily extends OvsFamily {
  readonly name: string = A.OVS_CT_LIMIT_FAMILY;
  readonly version: number = A.OVS_CT_LIMIT_VERSION;
  readonly attributeMax: number = A.OVS_CT_LIMIT_ATTR_ZONE_LIMIT;
  readonly groups: readonly string[] = [A.OVS_CT_LIMIT_MCGROUP];
  readonly #limits = new Map<number, number>();
  #byDefault = 0;

  run(request: Request, reply: (message: Uint8Array) => void): number {
    const given = ovsAttributes(request);
    if (given === undefined) return EINVAL;
    const { command } = headOf(request);
    if (command < A.OVS_CT_LIMIT_CMD_SET || command > A.OVS_CT_LIMIT_CMD_GET) return EOPNOTSUPP;
    const list = given.get(A.OVS_CT_LIMIT_ATTR_ZONE_LIMIT);
    if (command !== A.OVS_CT_LIMIT_CMD_GET && list === undefined) return EINVAL;
    const entries = list === undefined ? [] : entriesOf(list);
    if (command === A.OVS_CT_LIMIT_CMD_GET) {
      reply(this.#message(request, this.#asked(list === undefined ? undefined : entries)));
      return 0;
    }
    for (const [zone, limit] of entries) this.#set(zone, command, limit);
    reply(this.#message(request, undefined));
    return 0;
  }

  #set(zone: number, command: number, limit: number): void {
    const isDeleted = command === A.OVS_CT_LIMIT_CMD_DEL;
    if (zone === A.OVS_ZONE_LIMIT_DEFAULT_ZONE) this.#byDefault = isDeleted ? 0 : limit;
    else if (zone < 0 || zone > ZONE_MAX) return;
    else if (isDeleted) this.#limits.delete(zone);
    else this.#limits.set(zone, limit);
  }

  /** Zones and limits; those that were named, or all. */
  #asked(named: readonly (readonly [number, number])[] | undefined): [number, number][] {
    const limitOf = (zone: number): number =>
      zone === A.OVS_ZONE_LIMIT_DEFAULT_ZONE
        ? this.#byDefault
        : (this.#limits.get(zone) ?? this.#byDefault);
    if (named !== undefined) {
      const zones = named.map(([zone]) => zone).filter((zone) => zone >= -1 && zone <= ZONE_MAX);
      return zones.map((zone) => [zone, limitOf(zone)]);
    }
    return [[A.OVS_ZONE_LIMIT_DEFAULT_ZONE, this.#byDefault], ...this.#limits];
  }

  #message(request: Request, limits: readonly [number, number][] | undefined): Uint8Array {
    const { command, datapath } = headOf(request);
    return this.message({ command, datapath, request }, (writer) => {
      if (limits === undefined) return;
      const at = writer.reserve(A.OVS_CT_LIMIT_ATTR_ZONE_LIMIT, limits.length * ENTRY_BYTES) >> 2;
      for (const [i, [zone, limit]] of limits.entries()) {
        writer.memory.i32.set([zone, limit | 0, 0], at + i * 3);
      }
    });
  }
}

function entriesOf(list: Uint8Array): [zone: number, limit: number][] {
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  return Array.from({ length: Math.floor(list.length / ENTRY_BYTES) }, (_, i) => [
    view.getInt32(i * ENTRY_BYTES, true),
    view.getUint32(i * ENTRY_BYTES + 4, true),
  ]);
}
