import type { NumberedPort } from "../flow/ports.ts";
import type { Account } from "../load/outcome.ts";
import { type LoadTarget, Sender, type SenderOptions } from "../load/send/sender.ts";
import { OvsChannel } from "../ovs/channel.ts";
import { getDatapath } from "../ovs/datapath.ts";
import { listPorts } from "../ovs/vport.ts";
import { refuseOwned } from "../ovs/vswitchd.ts";

/** The datapath that a load names. Imported only where one is named: a dry run starts without all this. */
export type OpenTarget = Disposable & {
  readonly target: LoadTarget;
  readonly ports: readonly NumberedPort[];
  /** Reads them again. */
  readonly readPorts: () => readonly NumberedPort[];
};

/** @throws MillraceError `NO_DATAPATH`, `NO_MODULE` */
export function openTarget(name: string): OpenTarget {
  const channel = new OvsChannel();
  const datapath = getDatapath(channel, name);
  const readPorts = (): readonly NumberedPort[] => listPorts(channel, datapath);
  return {
    target: { channel, datapath },
    ports: readPorts(),
    readPorts,
    [Symbol.dispose]: () => channel[Symbol.dispose](),
  };
}

/** What can be done where ovs-vswitchd runs the datapath. */
const REMEDY =
  ". Load into a datapath of your own (millrace dp add NAME), or with --force all the same";

/** @throws MillraceError `OWNED` where ovs-vswitchd runs the datapath, unless `force` is given */
export function openSender(
  target: LoadTarget,
  account: Account,
  options: SenderOptions & { readonly force: boolean },
): Sender {
  const warning = refuseOwned(target.channel, target.datapath, REMEDY, options.force);
  if (warning !== undefined) console.error(`millrace: ${warning}`);
  return new Sender(target, account, options);
}
