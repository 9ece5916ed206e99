import type { DpctlSession } from "./session.ts";

/** An argument of add-if or set-if: `NAME[,type=TYPE][,port_no=N][,KEY=VALUE]...` */
export type InterfaceArgument = {
  readonly name: string;
  readonly type: string | undefined;
  /** The number as atoi reads it, in 32 bits. */
  readonly number: number | undefined;
  readonly options: ReadonlyMap<string, string>;
};

/** ODPP_NONE, which means no number. */
const NO_NUMBER = 0xffff_ffff;

/**
 * Splits an argument as strtok_r does: empty parts do not count.
 * @returns undefined after an error, which was reported
 */
export function parseInterface(session: DpctlSession, text: string): InterfaceArgument | undefined {
  const [name, ...parts] = text.split(",").filter((part) => part !== "");
  if (name === undefined) {
    session.complain(`${text} is not a valid network device name`);
    return undefined;
  }
  let type: string | undefined;
  let number: number | undefined;
  const options = new Map<string, string>();
  for (const part of parts) {
    const [, key, value = ""] = /^=*([^=]+)=?(.*)$/.exec(part) ?? [];
    if (key === undefined) {
      session.complain("Invalid option format");
      return undefined;
    }
    if (key === "type") type = value === "" ? undefined : value;
    else if (key === "port_no") number = (Number.parseInt(value, 10) || 0) >>> 0;
    else if (options.has(key)) session.complain(`duplicate "${key}" option`);
    else options.set(key, value);
  }
  return { name, type, number: number === NO_NUMBER ? undefined : number, options };
}
