import type { OvsChannel } from "../ovs/channel.ts";
import type { DatapathInfo } from "../ovs/datapath.ts";
import { datapathOwner, ownerText } from "../ovs/vswitchd.ts";
import { UsageError } from "./exit.ts";

/**
 * Says so where ovs-vswitchd runs the datapath, and goes on only when forced.
 * @throws UsageError where it is not
 */
export function checkOwner(
  channel: OvsChannel,
  datapath: DatapathInfo,
  force: boolean,
  warn: (text: string) => void = console.error,
): void {
  const owner = datapathOwner(channel, datapath);
  if (owner === undefined) return;
  const said = ownerText(owner, datapath.name);
  if (!force) {
    throw new UsageError(
      `${said}. Load into a datapath of your own (millrace dp add NAME), or with --force all the same`,
    );
  }
  warn(`millrace: ${said}`);
}
