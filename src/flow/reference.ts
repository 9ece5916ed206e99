import { COOKIES, SLOW_PATH_REASONS } from "./action/cookie.ts";
import { type Members, memberText } from "./action/member.ts";
import { ACTIONS, type ActionSpec, USERSPACE_ACTIONS } from "./action/table.ts";
import { KEYS, type KeySpec } from "./key/table.ts";
import * as T from "./key/tunnel-fields.ts";
import type { Field } from "./text/field.ts";

/** The reference page of the flow language, Markdown, made from the tables of keys and actions. */
export function flowLanguageReference(): string {
  return [
    INTRODUCTION,
    "## Keys",
    KEYS_INTRODUCTION,
    overview(
      KEYS.map((key) => [key.name, key.about, key.where === "kernel" ? key.since : "no kernel"]),
    ),
    ...KEYS.map(keySection),
    "## Actions",
    ACTIONS_INTRODUCTION,
    overview(ACTIONS.filter(isFirst).map((action) => [action.name, action.about, action.since])),
    ...ACTIONS.filter(isFirst).map(actionSection),
    DUMPS,
    JSON_FORM,
    "## Known, and refused",
    `Only OVS's userspace datapath has the actions ${words(USERSPACE_ACTIONS)} and the matches ` +
      `${words([...KEYS.filter(({ where }) => where === "userspace").map(({ name }) => name), "gtpu"])}. ` +
      "They are recognised, and refused by name.",
    "",
  ].join("\n\n");
}

const INTRODUCTION = `# The flow language

<!-- Made by src/flow/reference.ts from the tables of keys and actions. Do not edit. -->

A flow is a key, with masks, and a list of actions: \`in_port(1),eth(),eth_type(0x0800),ipv4(dst=10.0.0.0/8) 2\`.
It is the text that \`ovs-dpctl\` reads and prints, and more: whatever a kernel can match and do has a text,
and all that is printed reads back to the same flow.

- Between attributes stand commas, blanks, or nothing. The key ends at the first blank outside parentheses.
- Numbers are decimal, hexadecimal after \`0x\`, octal after a leading \`0\`. One out of range is an error.
- \`value/mask\` matches some bits; a value alone matches all of them; a field left out matches anything.
- A flow may begin with its UFID, \`ufid:UUID,\`. Linux also takes UFIDs of fewer than 16 bytes, which are
  \`ufid:0xHEX,\`.
- In JSON a flow is the tree of its text: \`{"key": {"in_port": 1, "eth": {}, "eth_type": "0x0800", "ipv4": {"dst": "10.0.0.0/8"}}, "actions": [{"output": 2}]}\`.`;

const KEYS_INTRODUCTION =
  "What a kernel requires beside a key (`tcp_flags()` beside `tcp()`, `eth_type()` before `ipv4()`) is checked before a flow is sent, and a refusal says what is missing.";

const ACTIONS_INTRODUCTION =
  "Actions are done one after another. `ACTIONS` stands for a list of them; `drop` alone is the empty list. " +
  "An action that these tables do not have is printed and read as `actionN(bytes)`, a key as `keyN(bytes/mask)`.";

const DUMPS = `## Dumps

A dump is printed as \`ovs-dpctl dump-flows\` prints it, with \`-m\` as \`dump-flows -m\`, and loads again to the
same flow. It is printed otherwise where ovs-dpctl leaves out what a kernel wants back, or cannot be read:

- wildcarded headers that the kernel asks for stay (\`udp()\`, \`tcp_flags(0/0)\`, \`mpls()\`), and so do
  \`ttl\`, \`dst\` and \`tun_id\` of a tunnel and fields of it that are matched as zero;
- a port whose name is none in text (\`7\`, \`a)b\`, \`a#b\`) is printed by its number, which \`millrace dump\` says
  on standard error;
- \`eth_type(0/0)\` and \`in_port(0/0xffff0000)\`, which mean nothing, are left out, but for \`-m\`;
- percentages have all digits, and bytes their leading zeros.

A line with \`actions:\` is one of a dump, and pasted dumps are often less than whole. What the kernel requires and
such a line has not was wildcarded: a tunnel's \`ttl=0/0\` and \`dst\`, headers such as \`arp()\`, \`tcp()\` and
\`tcp_flags(0/0)\`. It is added, and reports say to how many lines. Lines \`flow-dump from pmd on cpu core: 3\` and
members that no kernel's dump has (\`dpe_packets:0\`) are passed over, and named. Bytes without their leading zeros,
as \`md2=0x8ff73ff\`, get them back.

What a key must have beside it depends on a value as it is written, not on what its mask leaves of it:
\`ipv4(proto=47/0x1)\` calls for no header, \`ipv4(proto=1/0x1)\` for \`icmp()\`. Both match the same packets, and
a kernel shows both as the second one.

A tag whose own type is not matched is \`eth_type(0/0xffff),vlan(vid=5,pcp=0),encap(…)\`: so a kernel shows one
that ovs-vswitchd did not look into.

Flows that overlap are dumped in another order: a kernel takes a narrow flow first and a wide one after it,
but not the other way round, and dumps both in the order of its hash table. A dump of millrace puts the narrow
one first, so that both come back. A file of \`ovs-dpctl dump-flows\` may have it last: it is refused then,
counted and told, with the flow that it overlaps.

Some matches a kernel makes, but never shows: a \`ct_tuple4()\` or \`ct_tuple6()\` whose \`proto\` is 0 or not matched,
\`geneve()\` without options, \`key32()\` of what is not IPv6, and whether a tunnel is one of IPv6 where no address
is left of it. They are sent, but are no part of the UFID, and no dump brings them back.`;

const JSON_FORM = `## JSON

Files of JSON lines hold a flow a line. [flow.schema.json](flow.schema.json) is its JSON Schema; the library has
the types \`FlowJson\`, \`KeyJson\` and \`ActionJson\`, and \`flowJsonToLine\`, \`lineToFlowJson\` and \`flowJsonSchema\`.

\`\`\`grammar
{"verb": "add", "ufid": "UFID", "key": {KEYS}, "actions": [ACTIONS], "packets": N, "bytes": N, "used": SECONDS, "flags": "SF."}
\`\`\`

- \`key\` must be there. Without \`verb\` and \`ufid\` the load decides; \`packets\` to \`flags\` are what a dump has
  seen, and are not read back.
- \`name(…)\` of text is a member with an object, \`name=value\` one with a number or a string, a bare word \`true\`.
  A number in a string may be hexadecimal, and have a mask: \`{"ipv4": {"tos": "0x8/0xfc"}}\`.
- A key of one value is that value, \`{"in_port": 1}\`. \`encap\` holds keys, \`mpls\` a list with an object a label.
- An action is an object with one member, a port \`{"output": 2}\`. Lists of actions stand where text has them in
  parentheses: \`{"clone": [{"output": 2}]}\`. \`[]\`, and \`[{"drop": true}]\`, drop.
- A member that stands twice in one object counts once: the last one does, as everywhere in JavaScript.`;

function overview(rows: readonly (readonly [string, string, string])[]): string {
  const lines = rows.map(([name, about, since]) => {
    return `| [\`${name}\`](#${name}) | ${cell(about)} | ${since} |`;
  });
  return ["| name | what it is | Linux |", "|---|---|---|", ...lines].join("\n");
}

/** Whether a row is the first of its name in the table. */
function isFirst(action: ActionSpec, index: number): boolean {
  return ACTIONS.findIndex(({ name }) => name === action.name) === index;
}

function keySection(key: KeySpec): string {
  const since = key.where === "kernel" ? `Linux ${key.since}.` : "No kernel has it.";
  const fields = key.form === "tunnel" ? TUNNEL_FIELDS : key.fields;
  const parts = [
    `### ${key.name}`,
    `${sentence(key.about)} ${since}`,
    code("grammar", [keySyntax(key)]),
  ];
  const masks = key.allOrNothing ? "all or nothing: any mask but 0 is made whole" : undefined;
  if (fields.length > 0) parts.push(fieldTable(fields, masks));
  if (key.form === "tunnel") parts.push(TUNNEL_PARTS);
  parts.push("Example:", code("example", [key.example]));
  return parts.join("\n\n");
}

const TUNNEL_FIELDS: readonly Field[] = [...T.TUNNEL_FIELDS, T.TUNNEL_FLAGS_FIELD];

const TUNNEL_PARTS =
  "One kind of options at most: `geneve({class=N,type=N,len=N,0xDATA/0xMASK}…)`, `vxlan(gbp(id=N,flags=N))`, " +
  "`erspan(ver=1,idx=N)` or `erspan(ver=2,dir=N,hwid=N)`. The flag `key` follows from `tun_id`. " +
  "For the bits of ERSPAN that OVS does not name there are `hwid_upper`, `timestamp`, `sgt`, `p`, `ft`, `gra` and `o` of version 2, " +
  "and `rest` of the others; left out they are matched as zero.";

function keySyntax(key: KeySpec): string {
  switch (key.form) {
    case "single":
      return `${key.name}(${valueSyntax(key.fields[0])})`;
    case "tunnel":
      return "tunnel([tun_id=N/M,]dst=A/M,ttl=N/M[,src=A/M][,tos=N/M][,tp_src=N/M][,tp_dst=N/M][,OPTIONS][,flags(FLAGS)])";
    case "encap":
      return "encap(KEY)";
    default: {
      const fields = key.fields.map((field) => `[${field.name}=${valueSyntax(field)}]`).join(",");
      return key.form === "mpls" ? `mpls(${fields}…)` : `${key.name}(${fields})`;
    }
  }
}

function valueSyntax(field: Field | undefined): string {
  switch (field?.kind) {
    case "mac":
      return "MAC/MAC";
    case "ipv4":
    case "ipv6":
      return "ADDRESS/MASK";
    case "frag":
      return "no|first|later";
    case "flags":
      return "FLAGS";
    case "port":
      return "N|NAME";
    case "hex":
      return "BYTES/BYTES";
    default:
      return "N/M";
  }
}

function fieldTable(fields: readonly Field[], masks: string | undefined): string {
  const lines = fields.map((field) => {
    const name = [field.name === "" ? "(the value)" : field.name, ...field.aliases].join(", ");
    return `| \`${name}\` | ${fieldValues(field)} | ${masks ?? fieldMasks(field)} |`;
  });
  return ["| field | values | masks |", "|---|---|---|", ...lines].join("\n");
}

function fieldValues(field: Field): string {
  switch (field.kind) {
    case "mac":
      return "a MAC address";
    case "ipv4":
      return "an IPv4 address";
    case "ipv6":
      return "an IPv6 address";
    case "frag":
      return "`no`, `first`, `later`";
    case "flags":
      return words(field.words.filter((word) => word !== undefined));
    case "choice":
      return words(field.words.slice(1).map(String));
    case "port":
      return "a port number below 65535, or a port's name";
    case "hex":
      return `${field.size} bytes, blanks between them`;
    case "number64":
    case "hex64":
      return "64 bits";
    case "number128":
      return "128 bits";
    default:
      return `0 to ${field.limit}${field.radix === "dec" ? "" : ", printed hexadecimal"}`;
  }
}

function fieldMasks(field: Field): string {
  switch (field.kind) {
    case "mac":
      return "a MAC address";
    case "ipv4":
      return "dotted, or a prefix length";
    case "ipv6":
      return "an address, or a prefix length";
    case "flags":
      return "`a|b` exactly these; `+a-b` some; `value/mask`";
    default:
      return "any bits";
  }
}

function actionSection(action: ActionSpec): string {
  const parts = [
    `### ${action.name}`,
    `${sentence(action.about)} Linux ${action.since}.`,
    code("grammar", [action.syntax]),
  ];
  const { form } = action;
  if (form.kind === "struct" || form.kind === "nsh") parts.push(structTable(form.fields.fields));
  else if (form.kind === "nest") parts.push(memberTable(form.members));
  else if (form.kind === "number") parts.push(`\`N\`: ${form.about}.`);
  if (action.name === "userspace") parts.push(cookies());
  if (action.name === "ct") parts.push(NAT);
  parts.push("Example:", code("example", action.examples));
  return parts.join("\n\n");
}

const NAT =
  "`NAT` is `src` or `dst`, each with `=A[-B][:p[-q]]` if need be, then `persistent`, and `hash` or `random`. An IPv6 address before a port stands in brackets. `nat` alone translates what is known of the connection.";

function structTable(fields: readonly Field[]): string {
  const lines = fields.map((field) => {
    const without =
      field.initial === undefined
        ? "must be there"
        : field.radix === "dec"
          ? field.initial
          : hexText(field.initial);
    return `| \`${field.name}\` | ${cell(field.about)} | ${fieldValues(field)} | ${without} |`;
  });
  return ["| field | what it is | values | left out |", "|---|---|---|---|", ...lines].join("\n");
}

function memberTable(members: Members): string {
  const lines = members.members.map((member) => {
    const shown =
      member.kind === "flag" || member.kind === "none" ? member.name : `${memberText(member)}…`;
    const closed = shown.endsWith("(…") ? `${shown})` : shown;
    return `| \`${closed}\` | ${cell(member.about)} | ${member.required ? "yes" : ""} |`;
  });
  return ["| member | what it is | needed |", "|---|---|---|", ...lines].join("\n");
}

/** The forms of OVS's cookie. */
function cookies(): string {
  const lines = COOKIES.map((cookie) => {
    const fields = cookie.fields.fields
      .filter((field) => !field.hidden)
      .map((field) =>
        field.kind === "choice" ? `[${field.words.slice(1).join("|")}]` : `${field.name}=N`,
      );
    const inside = cookie.reasons
      ? `REASONS: ${SLOW_PATH_REASONS.join(", ")}, or 0`
      : fields.join(",");
    return `- \`${cookie.name}(${inside})\`: ${cookie.about}`;
  });
  return [
    "`COOKIE` is one of these, OVS's own, or any bytes. Without one, 48 zero bytes are sent. A cookie that these words do not give back whole is printed as bytes. Each form may have `ofp_in_port=N` and `ofproto_uuid=UUID` as well: `ovs-vswitchd` fills them in, and `ovs-dpctl` does not show them.",
    lines.join("\n"),
  ].join("\n\n");
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!]$/.test(first) ? first : `${first}.`;
}

function hexText(value: number): string {
  return `0x${value.toString(16)}`;
}

function words(all: readonly string[]): string {
  return all.map((word) => `\`${word}\``).join(", ");
}

function code(language: "grammar" | "example", lines: readonly string[]): string {
  return [`\`\`\`${language}`, ...lines, "```"].join("\n");
}

/** Escapes text for a table: a bar would end its cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
