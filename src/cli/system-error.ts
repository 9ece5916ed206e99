import { errnoNumber, errnoText } from "../sys/errno.ts";

/**
 * The message of a file system error: `open /x: no such file or directory`. Node's text begins with
 * the errno. Undefined for all other errors.
 */
export function systemErrorText(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const errno = errnoNumber(String(error.code));
  if (errno === undefined) return undefined;
  const what = [wordOf(error, "syscall"), wordOf(error, "path"), wordOf(error, "dest")];
  return `${what.filter((word) => word !== "").join(" ")}: ${errnoText(errno)}`;
}

function wordOf(error: Error, name: string): string {
  const value: unknown = Reflect.get(error, name);
  return typeof value === "string" ? value : "";
}
