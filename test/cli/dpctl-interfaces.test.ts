import { expect, test } from "bun:test";
import { parseInterface } from "../../src/cli/dpctl/interface-argument.ts";
import { parseArguments } from "../../src/cli/dpctl/options.ts";
import { DpctlSession } from "../../src/cli/dpctl/session.ts";
import { judgeTunnel, kernelOptions } from "../../src/cli/dpctl/tunnel-options.ts";

function parsed(text: string) {
  const given = parseArguments([]);
  if (typeof given === "string") throw new Error(given);
  using session = new DpctlSession(given.options, { out: () => {}, error: () => {} });
  return parseInterface(session, text);
}

test.each([
  ["eth1", { name: "eth1", type: undefined, number: undefined }],
  ["eth1,type=internal,port_no=7", { name: "eth1", type: "internal", number: 7 }],
  ["eth1,type=", { name: "eth1", type: undefined, number: undefined }],
  ["eth1,,port_no=9,", { name: "eth1", number: 9 }],
  // As atoi reads them; -1 is OVS's word for no number at all.
  ["eth1,port_no=x", { number: 0 }],
  ["eth1,port_no=-1", { number: undefined }],
  ["eth1,port_no=-2", { number: 0xffff_fffe }],
])("%s", (text, expected) => {
  expect(parsed(text)).toMatchObject(expected);
});

test("options are taken apart as strtok_r does it", () => {
  const options = parsed("eth1,a=b=c,=5,d")?.options;
  expect([...(options ?? [])]).toEqual([
    ["a", "b=c"],
    ["5", ""],
    ["d", ""],
  ]);
  expect(parsed(",")).toBeUndefined();
  expect(parsed("eth1,=")).toBeUndefined();
});

const judged = (type: string, options: Readonly<Record<string, string>>) =>
  judgeTunnel(type, new Map(Object.entries(options)));

test("what is wrong with a tunnel is warned of, and only its addresses end it", () => {
  const remote = { remote_ip: "flow" };
  const all = { tos: "inherit", ttl: "3", df_default: "true", key: "flow", csum: "true" };
  expect(judged("vxlan", { ...remote, ...all, dst_port: "1", exts: "gbp" })).toEqual({
    warnings: [],
  });
  expect(judged("gre", { ...remote, csum: "true", seq: "true" })).toEqual({ warnings: [] });
  expect(judged("gre", { ...remote, dst_port: "5", tos: "3", exts: "gbp" }).warnings).toEqual([
    "unknown gre argument 'dst_port'",
    "invalid TOS 3",
    "unknown extension 'gbp'",
  ]);
  expect(judged("vxlan", { remote_ip: "bad" })).toEqual({
    warnings: ["bad vxlan 'remote_ip'"],
    problem: "vxlan type requires valid 'remote_ip' argument",
  });
  for (const remote_ip of ["224.0.0.1", "239.1.1.1", "ff02::1"]) {
    expect(judged("vxlan", { remote_ip }).problem).toContain("multicast");
  }
  expect(judged("vxlan", { remote_ip: "1.1.1.1", local_ip: "flow" }).problem).toContain("=flow");
  expect(judged("vxlan", { remote_ip: "1.1.1.1", local_ip: "::1" }).problem).toContain("family");
  expect(judged("vxlan", { remote_ip: "::2", local_ip: "::1" })).toEqual({ warnings: [] });
});

test("the kernel's port has a UDP port, and the group policy extension", () => {
  const options = new Map([["exts", "gbp"]]);
  expect(kernelOptions("vxlan", 4789, options)).toEqual({
    destinationPort: 4789,
    groupPolicy: true,
  });
  expect(kernelOptions("gre", undefined, options)).toEqual({});
});
