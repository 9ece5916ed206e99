/**
 * `npm run release`: makes what a release consists of in dist/release, the package, the single binary and their
 * checksums, and publishes the package. With --dry-run nothing leaves the machine.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../../package.json";
import { compileBinary } from "./compile.ts";
import { ROOT, run } from "./run.ts";

const FOLDER = join(ROOT, "dist/release");
const TAG = `v${manifest.version}`;

const { values } = parseArgs({ options: { "dry-run": { type: "boolean", default: false } } });
const dryRun = values["dry-run"];

if (!dryRun) refuseUnfinished();
rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
// It builds what only the package has; the binary carries some of that.
run("npm", "pack", "--silent", "--pack-destination", FOLDER);
compileBinary(join(FOLDER, `millrace-${manifest.version}-linux-${process.arch}`));
const files = readdirSync(FOLDER).sort();
const sums = files.map((file) => `${sha256(join(FOLDER, file))}  ${file}\n`).join("");
writeFileSync(join(FOLDER, "SHA256SUMS"), sums);
process.stdout.write(sums);

if (dryRun) console.log("a dry run: nothing is published");
else {
  const tarball = files.find((file) => file.endsWith(".tgz")) ?? "";
  run("npm", "publish", join(FOLDER, tarball));
  run("git", "tag", TAG);
  console.log(`published; the tag ${TAG} and the files in ${FOLDER} are left to be pushed`);
}

/** @throws Error where the work tree is not what the version is to stand for */
function refuseUnfinished(): void {
  if (run("git", "status", "--porcelain") !== "") throw new Error("commit or remove what changed");
  if (run("git", "tag", "--list", TAG) !== "") throw new Error(`${TAG} is there already`);
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
