import type { NumberedPort } from "../flow/ports.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { OvsChannel } from "../ovs/channel.ts";
import { openDatapath } from "../ovs/datapath.ts";
import { listPorts } from "../ovs/vport.ts";
import { refuseOwned } from "../ovs/vswitchd.ts";
import { complain } from "./output.ts";

/** The datapath of a load. Imported only if one is named, so that a dry run starts faster. */
export type OpenTarget = Disposable & {
  readonly target: LoadTarget;
  readonly readPorts: () => readonly NumberedPort[];
};

/** @throws MillraceError `NO_DATAPATH`, `NO_MODULE` */
export function openTarget(name: string): OpenTarget {
  const channel = new OvsChannel();
  const datapath = openDatapath(channel, name);
  return {
    target: { datapath },
    readPorts: () => listPorts(datapath),
    [Symbol.dispose]: () => channel[Symbol.dispose](),
  };
}

/** What to do if ovs-vswitchd runs the datapath. */
const REMEDY = ". Load into a datapath of your own (millrace dp add NAME), or add --force";

/**
 * Warns if ovs-vswitchd runs the datapath.
 * @throws MillraceError `OWNED` unless `force` is given
 */
export function checkOwner({ datapath }: LoadTarget, force: boolean): void {
  const warning = refuseOwned(datapath, REMEDY, force);
  if (warning !== undefined) complain(warning);
}
