import { describe, expect, test } from "bun:test";
import { indexText, loadOrder, moduleIndex } from "../../src/lab/modules.ts";

const DEP = `kernel/net/nsh/nsh.ko:
kernel/net/netfilter/nf_defrag-x.ko:
kernel/net/netfilter/nf_conntrack.ko: kernel/net/netfilter/nf_defrag-x.ko
kernel/net/openvswitch/openvswitch.ko: kernel/net/nsh/nsh.ko kernel/net/netfilter/nf_conntrack.ko kernel/net/netfilter/nf_defrag-x.ko
kernel/drivers/net/vxlan/vxlan.ko.xz: kernel/net/nsh/nsh.ko
`;
const ALIAS = `# Aliases extracted from modules themselves.
alias rtnl-link-vxlan vxlan
alias pci:v00001AF4d*sv*sd* vxlan
alias net-pf-16-proto-16-family-ovs_datapath openvswitch
alias devname:nothing absent
`;

describe("the module index", () => {
  const index = moduleIndex(DEP, ALIAS, "kernel/net/ipv6/ipv6.ko\n");

  test("puts what a module needs before it", () => {
    const files = index.get("openvswitch") ?? [];
    const place = (name: string): number => files.findIndex((file) => file.includes(name));
    expect(place("defrag")).toBeLessThan(place("conntrack"));
    expect(place("conntrack")).toBeLessThan(place("openvswitch.ko"));
    expect(files).toHaveLength(4);
  });

  test("names modules as the kernel does", () => {
    expect(index.has("nf_defrag_x")).toBe(true);
    expect(index.get("vxlan")?.at(-1)).toBe("kernel/drivers/net/vxlan/vxlan.ko.xz");
  });

  test("follows plain aliases, and leaves hardware's wildcards out", () => {
    expect(index.get("rtnl-link-vxlan")).toEqual(index.get("vxlan") ?? []);
    expect([...index.keys()].filter((name) => name.startsWith("pci:"))).toEqual([]);
    expect(index.has("devname:nothing")).toBe(false);
  });

  test("has nothing to load for what is built in", () => {
    expect(index.get("ipv6")).toEqual([]);
  });

  test("loads each file once for several modules", () => {
    const files = loadOrder(index, ["openvswitch", "vxlan", "ipv6"]);
    expect(new Set(files).size).toBe(files.length);
    expect(files).toHaveLength(5);
  });

  test("is a line a name", () => {
    const lines = indexText(index).split("\n");
    expect(lines).toContain("ipv6");
    expect(lines).toContain(
      "rtnl-link-vxlan kernel/net/nsh/nsh.ko kernel/drivers/net/vxlan/vxlan.ko.xz",
    );
  });
});
