import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import manifest from "../../package.json";
import { temporaryFolder } from "../../src/lab/trust.ts";
import { limit } from "../runner/limit.ts";
import { BUN, done, ROOT, say, type Said } from "./packed.ts";

/*
 * A release as it is made, up to a registry: that is one of the test's own, and the project is a copy with a history of
 * its own.
 */

setDefaultTimeout(limit(300));

/** What npm sends to a registry. */
type Published = {
  readonly "dist-tags": Readonly<Record<string, string>>;
  readonly _attachments: Readonly<Record<string, { readonly data: string }>>;
};

const TAG = `v${manifest.version}`;
const TARBALL = `millrace-${manifest.version}.tgz`;

const folder = temporaryFolder("millrace-release-");
const copy = join(folder, "project");
const published: Published[] = [];
let answer = 403;
const registry = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    if (request.method !== "PUT") return new Response("{}", { status: 404 });
    const sent: Published = JSON.parse(await request.text());
    if (answer === 201) published.push(sent);
    return Response.json({}, { status: answer });
  },
});

beforeAll(() => {
  for (const file of done(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT)
    .trim()
    .split("\n")) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file), { preserveTimestamps: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  cpSync(join(ROOT, "dist/msgpackr"), join(copy, "dist/msgpackr"), { recursive: true });
  const registryUrl = `127.0.0.1:${registry.port}/`;
  const settings = `registry=http://${registryUrl}\n//${registryUrl}:_authToken=none\nfetch-retries=0\n`;
  writeFileSync(join(folder, "npmrc"), settings);
  done(["git", "init", "--quiet"], copy);
  commit();
});

afterAll(async () => {
  await registry.stop(true);
  rmSync(folder, { recursive: true, force: true });
});

function commit(): void {
  done(["git", "add", "--all"], copy);
  const who = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
  done(["git", ...who, "commit", "--quiet", "--message", "all"], copy);
}

function tags(): string {
  return done(["git", "tag", "--list"], copy).trim();
}

/** A release, beside a registry that answers: it runs in this process. */
async function release(...options: readonly string[]): Promise<Said> {
  const child = Bun.spawn([BUN, ".ci/pack/release.ts", ...options], {
    cwd: copy,
    env: { ...process.env, npm_config_userconfig: join(folder, "npmrc") },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, out, err };
}

test("nothing is published of a work tree with changes", async () => {
  writeFileSync(join(copy, "README.md"), "changed");
  const { status, err } = await release();
  expect([status, err]).toEqual([1, expect.stringContaining("commit or remove what changed")]);
  cpSync(join(ROOT, "README.md"), join(copy, "README.md"));
  expect(done(["git", "status", "--porcelain"], copy)).toBe("");
});

test("a registry that refuses leaves no tag", async () => {
  answer = 403;
  const { status, err } = await release();
  expect([status, err]).toEqual([1, expect.stringContaining("403")]);
  expect([tags(), published]).toEqual(["", []]);
});

test("the registry gets the tarball of the checksums, and the commit its tag", async () => {
  answer = 201;
  const { status, out, err } = await release();
  expect([status, err]).toEqual([0, ""]);
  expect(out).toContain(`published; the tag ${TAG}`);
  const [sent, ...more] = published;
  expect(more).toEqual([]);
  expect(sent?.["dist-tags"]).toEqual({ latest: manifest.version });
  const { data = "" } = sent?._attachments[TARBALL] ?? {};
  const sum = createHash("sha256").update(Buffer.from(data, "base64")).digest("hex");
  const sums = readFileSync(join(copy, "dist/release/SHA256SUMS"), "utf8");
  expect(sums.split("\n")).toContain(`${sum}  ${TARBALL}`);
  done(["sha256sum", "--check", "--strict", "SHA256SUMS"], join(copy, "dist/release"));
  expect(tags()).toBe(TAG);
  const binary = join(copy, `dist/release/millrace-${manifest.version}-linux-${process.arch}`);
  expect(say([binary, "--version"], folder).out.trim()).toBe(manifest.version);
});

test("a version is published once", async () => {
  const { status, err } = await release();
  expect([status, err]).toEqual([1, expect.stringContaining(`${TAG} is there already`)]);
  expect(published.length).toBe(1);
});
