import { WordTable } from "../text/words.ts";
import type { CookieForm } from "./cookie.ts";

/**
 * How a member of a nested action is written, and the content of its attribute:
 * - `flag`: the bare word; no payload
 * - `u16`, `u32`: `=N`; `port`: `=N` or a port's name; `percent`: `=P%`, a share of 2^32 - 1
 * - `actions`: a list of actions in parentheses
 * - `hex`: `=0x…`, bytes; `userdata`: bytes in parentheses, padded to 8; `exact`: the same,
 *   unpadded
 * - `none`: the bare word; the attribute is left out
 * - `cookie`: one form of OVS's user_action_cookie, in parentheses
 * - `name`: a word, closed by a zero byte; `mark`, `labels`: `=V/M`, value and mask
 * - `nat`: the nested nat()
 */
type MemberKind =
  | "flag"
  | "none"
  | "u16"
  | "u32"
  | "port"
  | "percent"
  | "actions"
  | "hex"
  | "userdata"
  | "exact"
  | "cookie"
  | "name"
  | "mark"
  | "labels"
  | "nat";

/** One member of a nested action. */
export type Member = {
  readonly name: string;
  readonly kind: MemberKind;
  /** Its attribute in the nest. */
  readonly attribute: number;
  readonly about: string;
  /** Whether a kernel, or OVS, refuses the action without it. */
  readonly required: boolean;
  /** The maximum payload in bytes; for a name, the maximum number of letters. */
  readonly max: number;
  /** Whether numbers are printed in hexadecimal. */
  readonly hex: boolean;
  /** Whether a value of 0 is the same as none, and is not printed. */
  readonly zeroIsNone: boolean;
  readonly cookie: CookieForm | undefined;
};

/** Makes a member, with defaults for the options that are not given. */
export function member(
  name: string,
  kind: MemberKind,
  attribute: number,
  about: string,
  options: Partial<Omit<Member, "name" | "kind" | "attribute" | "about">> = {},
): Member {
  return {
    name,
    kind,
    attribute,
    about,
    required: options.required ?? false,
    max: options.max ?? 0,
    hex: options.hex ?? false,
    zeroIsNone: options.zeroIsNone ?? false,
    cookie: options.cookie,
  };
}

/** The members of a nested action, in the order of text. */
export class Members {
  readonly members: readonly Member[];
  readonly words: WordTable;
  /** The attributes in the order in which a kernel dumps them. */
  readonly order: readonly number[];
  /** Whether empty parentheses may be left out. */
  readonly bare: boolean;
  /** Whether the nest must carry NLA_F_NESTED. */
  readonly flagged: boolean;
  /** Attributes that exclude one another. */
  readonly exclusive: readonly number[];
  /** An attribute of zeros that is written if no member gives it. */
  readonly fill: { readonly attribute: number; readonly size: number } | undefined;
  readonly names: string;

  constructor(
    members: readonly Member[],
    options: {
      order?: readonly number[];
      bare?: boolean;
      flagged?: boolean;
      exclusive?: readonly number[];
      fill?: { attribute: number; size: number };
    } = {},
  ) {
    this.members = members;
    this.words = new WordTable(members.map(({ name }) => name));
    this.order = options.order ?? [...new Set(members.map(({ attribute }) => attribute))];
    this.bare = options.bare ?? false;
    this.flagged = options.flagged ?? false;
    this.exclusive = options.exclusive ?? [];
    this.fill = options.fill;
    this.names = members.map(({ name }) => name).join(", ");
  }

  /** Whether one of the members in `seen`, which has a bit for each, writes the attribute. */
  hasAny(seen: number, attribute: number): boolean {
    return this.members.some(
      (known, index) => known.attribute === attribute && (seen & (1 << index)) !== 0,
    );
  }
}

/** A member as it is written: `size=`, `gt(`, `commit`. */
export function memberText(written: Member): string {
  if (written.kind === "flag" || written.kind === "none" || written.kind === "nat")
    return written.name;
  const group = ["actions", "cookie", "userdata", "exact"].includes(written.kind);
  return `${written.name}${group ? "(" : "="}`;
}
