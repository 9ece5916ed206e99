import type { NumberedPort } from "../flow/ports.ts";
import type { Account } from "../load/outcome.ts";
import { type LoadTarget, Sender, type SenderOptions } from "../load/sender.ts";
import { OvsChannel } from "../ovs/channel.ts";
import { getDatapath } from "../ovs/datapath.ts";
import { listPorts } from "../ovs/vport.ts";
import { checkOwner } from "./ownership.ts";

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

/** @throws UsageError where ovs-vswitchd runs the datapath, unless `force` is given */
export function openSender(
  target: LoadTarget,
  account: Account,
  options: SenderOptions & { readonly force: boolean },
): Sender {
  checkOwner(target.channel, target.datapath, options.force);
  return new Sender(target, account, options);
}
