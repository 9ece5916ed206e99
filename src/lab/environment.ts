import { GUEST_TMPDIR } from "./guest.ts";

/** Folders with programs that an ordinary user's PATH often lacks. */
export const SYSTEM_FOLDERS: readonly string[] = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];

/** Variables with paths that the guest covers, or that have no meaning there. */
const DROPPED: ReadonlySet<string> = new Set([
  "XDG_RUNTIME_DIR",
  "DBUS_SESSION_BUS_ADDRESS",
  "SSH_AUTH_SOCK",
  "TMP",
  "TEMP",
]);

/**
 * The environment of a command in a guest: the caller's, with TMPDIR in the guest's memory, and a
 * PATH that finds the lab's own programs and the project's (`first`), the caller's, the system's,
 * and last `spare` (busybox, for what the host lacks). So the lab's programs take precedence over
 * the host's of the same names.
 */
export function guestEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  first: readonly string[],
  spare: readonly string[],
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && name !== "" && !DROPPED.has(name)) result[name] = value;
  }
  const own = (env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
  const path = new Set([...first, ...own, ...SYSTEM_FOLDERS, ...spare]);
  result["PATH"] = [...path].join(":");
  result["TMPDIR"] = GUEST_TMPDIR;
  return result;
}
