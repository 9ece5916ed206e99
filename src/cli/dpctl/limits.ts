import { U16_MAX, U32_MAX } from "../../flow/bytes.ts";
import { type CtLimit, deleteCtLimits, getCtLimits, setCtLimits } from "../../ovs/ct-limit.ts";
import { EINVAL } from "../../sys/errno.ts";
import { MillraceError } from "../../sys/errors.ts";
import { errnoOf, strerror, type DpctlSession } from "./session.ts";

// ovs-dpctl's commands for conntrack limits.

/** `ct-set-limits [DP] [default=L] [zone=N,limit=L]...` */
export function ctSetLimits(session: DpctlSession, args: readonly string[]): number {
  const { rest } = session.openOptional(args, Number.POSITIVE_INFINITY);
  const limits = rest.map((arg, index) => limitOf(session, arg, index === 0));
  if (limits.length === 0) return session.complain("no limits given", EINVAL);
  try {
    setCtLimits(session.channel, limits);
    return 0;
  } catch (error) {
    return session.complainOf("failed to set conntrack limit", error);
  }
}

function limitOf(session: DpctlSession, arg: string, first: boolean): CtLimit {
  if (first && arg.startsWith("default=")) {
    const limit = numberOf(arg.slice(8), U32_MAX);
    return limit === undefined
      ? session.fail("invalid default limit", EINVAL)
      : { zone: "default", limit };
  }
  let zone: number | undefined;
  let limit: number | undefined;
  for (const part of arg.split(",").filter((word) => word !== "")) {
    const [, key = "", value = ""] = /^([^=]*)=?(.*)$/.exec(part) ?? [];
    if (value === "") session.fail(`field ${key} missing value`, EINVAL);
    if (key !== "zone" && key !== "limit") session.fail(`invalid zone limit field: ${key}`, EINVAL);
    const number = numberOf(value, key === "zone" ? U16_MAX : U32_MAX);
    if (number === undefined) session.fail(`failed to parse field ${key}`, EINVAL);
    else if (key === "zone") zone = number;
    else limit = number;
  }
  if (zone === undefined || limit === undefined) {
    return session.fail("failed to parse zone limit", EINVAL);
  }
  return { zone, limit };
}

/** `ct-get-limits [DP] [zone=N1[,N2]...]` */
export function ctGetLimits(session: DpctlSession, args: readonly string[]): number {
  const { rest } = session.openOptional(args, Number.POSITIVE_INFINITY);
  const zones = rest[0] === undefined ? [] : zonesOf(session, rest[0]);
  try {
    const limits = getCtLimits(session.channel, zones);
    // ovs-dpctl prints the default first, and requests it together with the zones.
    const standard =
      limits.find(({ zone }) => zone === "default") ?? getCtLimits(session.channel, ["default"])[0];
    session.out(`default limit=${standard?.limit ?? 0}\n`);
    for (const { zone, limit, count } of limits) {
      if (zone !== "default") session.out(`zone=${zone},limit=${limit},count=${count}\n`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const errno = errnoOf(error);
    return session.complain(
      `failed to get conntrack limit ${strerror(errno)}`,
      errno,
      error.message,
    );
  }
}

/** `ct-del-limits [DP] [default] [zone=N1[,N2]...]` */
export function ctDelLimits(session: DpctlSession, args: readonly string[]): number {
  const { rest } = session.openOptional(args, Number.POSITIVE_INFINITY);
  const left = [...rest];
  const zones = left[0] === "default" ? (left.shift(), ["default" as const]) : [];
  const numbers = left[0] === undefined ? [] : zonesOf(session, left[0]);
  if (zones.length + numbers.length === 0) {
    return session.complain("no zones given", EINVAL, "expected default or zone=N");
  }
  try {
    deleteCtLimits(session.channel, [...zones, ...numbers]);
    return 0;
  } catch (error) {
    return session.complainOf("failed to delete conntrack limit", error);
  }
}

function zonesOf(session: DpctlSession, arg: string): number[] {
  if (!arg.startsWith("zone=")) session.fail(`invalid argument ${arg}`, EINVAL);
  return arg
    .slice(5)
    .split(",")
    .filter((word) => word !== "")
    .map((word) => numberOf(word, 0xffff) ?? session.fail("invalid zone", EINVAL));
}

function numberOf(text: string, max: number): number | undefined {
  const number = Number(text);
  return /^(\d+|0x[0-9a-fA-F]+)$/.test(text) && number <= max ? number : undefined;
}
