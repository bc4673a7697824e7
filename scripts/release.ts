/**
 * `npm run release -- --dry-run`: makes every artefact of a release into a folder, twice, compares the two, uses each as its
 * users would, and prints what would be pushed where. Nothing is pushed. Needs Linux, root (the files of the image) and apt.
 *
 *     npm run release -- --dry-run [--no-node] [--out DIR] [--registry REGISTRY] [--docs DIR]
 *
 * Artefacts: the npm package, the command line as an archive for each platform, the image for amd64 and arm64 with an SBOM each, the
 * chart, the plain manifests and CRDs, the site of the documentation (with the versions in the folder of `--docs`, which is what is
 * published so far), the notes of the release, the licences of all dependencies and the checksums of all.
 * `.github/workflows/release.yml` runs it for a tag, and publishes what it makes. The image and the chart are installed on a real
 * Kubernetes node, as in `test/node`; `--no-node` leaves this out.
 */
import { createHash } from "node:crypto";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import { helmFor } from "../test/chart/helm.ts";
import { VARIABLES } from "../test/release/artefacts.ts";
import { pack } from "../test/support/pack.ts";
import { makeArchive, platforms, REPRODUCIBLE, verifyArchives } from "./archives.ts";
import { checkedLicences } from "./licences.ts";
import { expand, publications } from "./publications.ts";
import { addVersion } from "./site/build.ts";
import { listVersions, seriesOf } from "./site/versions.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const run = (command: string, args: readonly string[], cwd = root): string =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 });

/** The section `## [VERSION] - DATE` of the changelog, without its heading. @throws Error if there is none. */
export const notesOf = (changelog: string, version: string): string => {
  const section = changelog.split(/^## /m).find((one) => one.startsWith(`[${version}]`));
  if (section === undefined) throw new Error(`CHANGELOG.md has no section for ${version}`);
  return `${section.slice(section.indexOf("\n")).trim()}\n`;
};

/** The version of this release. @throws Error if package and chart disagree. */
export const versionOf = (packageJson: string, chartYaml: string): string => {
  const { version } = JSON.parse(packageJson) as { readonly version: string };
  const chart = parse(chartYaml) as { readonly version: string; readonly appVersion: string };
  if (chart.version !== version || chart.appVersion !== version)
    throw new Error(`the package is ${version}, the chart ${chart.version} of ${chart.appVersion}`);
  return version;
};

/** Of `folder`, by name. */
const digestsOf = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(folder)
      .toSorted()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex"),
      ]),
  );

/** What the workflow of a release runs, a line each. */
export const pushedBy = (version: string, registry: string): readonly string[] =>
  publications.flatMap(({ job, what, commands }) => [
    `${job}: ${what}`,
    ...commands.map((command) => `  ${expand(command, { VERSION: version, REGISTRY: registry })}`),
  ]);

/** Makes the archive of the site into `folder`. @param published the site of earlier versions, if there is one. */
export const makeSite = (folder: string, version: string, published: string | undefined): void => {
  const site = mkdtempSync(join(tmpdir(), "turnpike-site-"));
  try {
    if (published !== undefined) cpSync(published, site, { recursive: true });
    addVersion(site, version);
    run("tar", ["--create", "--file", join(folder, `turnpike-docs-${version}.tgz`), ...REPRODUCIBLE, "-C", site, "."]);
  } finally {
    rmSync(site, { recursive: true, force: true });
  }
};

/** Makes all artefacts of `version` into `folder`, which is empty. */
const make = async (folder: string, version: string, published: string | undefined): Promise<void> => {
  const { tarball } = await pack(folder);
  for (const arch of ["amd64", "arm64"])
    run("node", ["deploy/image/main.ts", "--arch", arch, "--package", tarball, "--sbom", "--out", folder]);
  for (const platform of platforms) makeArchive(folder, version, platform, tarball);
  // As `helm package` makes it, without the times of files and of the day.
  const chart = `turnpike-chart-${version}.tgz`;
  const options = [...REPRODUCIBLE, "--exclude=.helmignore", "-C", "deploy/helm"];
  run("tar", ["--create", "--file", join(folder, chart), ...options, "turnpike"]);
  copyFileSync(join(root, "deploy/manifests/turnpike.yaml"), join(folder, `turnpike-${version}.yaml`));
  const crds = readdirSync(join(root, "deploy/crds")).map((name) => read(`deploy/crds/${name}`).replace(/^---\n/, ""));
  writeFileSync(join(folder, `turnpike-crds-${version}.yaml`), crds.join("---\n"));
  writeFileSync(join(folder, "release-notes.md"), notesOf(read("CHANGELOG.md"), version));
  writeFileSync(join(folder, "licences.txt"), checkedLicences());
  makeSite(folder, version, published);
};

/** Uses each artefact as its users would. @throws Error with what failed. */
const verify = async (folder: string, version: string): Promise<readonly string[]> => {
  const scratch = mkdtempSync(join(tmpdir(), "turnpike-release-"));
  const done: string[] = [];
  try {
    run("npm", ["install", "--silent", "--no-audit", "--no-fund", join(folder, `turnpike-${version}.tgz`)], scratch);
    const said = run(join(scratch, "node_modules/.bin/turnpike"), ["--version"], scratch).trim();
    if (said !== version) throw new Error(`the installed package says that it is ${said}`);
    done.push("npm package: installed in an empty folder; `turnpike --version` ran");

    done.push(...verifyArchives(folder, version));

    const helm = await helmFor();
    const chart = join(folder, `turnpike-chart-${version}.tgz`);
    const rendered = await helm("template", "turnpike", chart, "--namespace", "turnpike-system");
    await helm("lint", chart);
    const kinds = (text: string): readonly string[] =>
      parseAllDocuments(text).flatMap((one) => (one.toJS() as { readonly kind?: string } | null)?.kind ?? []);
    if (!kinds(rendered).includes("Deployment")) throw new Error("the chart renders no Deployment");
    done.push(`chart: rendered from the file, ${kinds(rendered).length} objects; \`helm lint\` passed`);

    for (const name of [`turnpike-${version}.yaml`, `turnpike-crds-${version}.yaml`]) {
      const found = kinds(readFileSync(join(folder, name), "utf8"));
      if (!found.includes("CustomResourceDefinition")) throw new Error(`${name} has no CRD`);
      done.push(`${name}: ${found.length} objects`);
    }

    const site = join(scratch, "site");
    mkdirSync(site);
    run("tar", ["--extract", "--file", join(folder, `turnpike-docs-${version}.tgz`), "-C", site]);
    const { latest, versions } = listVersions(site);
    if (latest !== seriesOf(version)) throw new Error(`the latest version of the site is ${latest}`);
    done.push(`site: unpacked; versions ${versions.map(({ name }) => name).join(", ")}`);

    for (const arch of ["amd64", "arm64"]) {
      const archive = join(folder, `turnpike-${version}-${arch}.tar`);
      const index = JSON.parse(run("tar", ["--extract", "--to-stdout", "--file", archive, "index.json"])) as {
        readonly manifests: readonly { readonly digest: string }[];
      };
      const blob = (digest: string): string =>
        run("tar", ["--extract", "--to-stdout", "--file", archive, `blobs/${digest.replace(":", "/")}`]);
      const manifest = JSON.parse(blob(index.manifests[0]?.digest ?? "")) as {
        readonly config: { readonly digest: string };
      };
      const sbom = readFileSync(join(folder, `turnpike-${version}-${arch}.cdx.json`), "utf8");
      const { bomFormat } = JSON.parse(sbom) as { readonly bomFormat?: string };
      if (bomFormat !== "CycloneDX") throw new Error(`the SBOM for ${arch} is not CycloneDX`);
      const config = JSON.parse(blob(manifest.config.digest)) as { readonly architecture: string };
      if (config.architecture !== arch)
        throw new Error(`the image for ${arch} says that it is for ${config.architecture}`);
      done.push(`image ${arch}: OCI layout read, ${index.manifests[0]?.digest}`);
    }
    return done;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

/** Installs image and chart on a node, and has a call relayed: `test/release/node.check.ts`. @throws Error after its output. */
const verifyOnNode = (folder: string): string => {
  const scratch = mkdtempSync(join(tmpdir(), "turnpike-release-"));
  try {
    const report = join(scratch, "report");
    const args = ["vitest", "run", "--config", "test/release/vitest.config.ts"];
    const env = { ...process.env, [VARIABLES.folder]: folder, [VARIABLES.report]: report };
    // Its output goes where complaints go.
    const { status } = spawnSync("npx", ["--no", "--", ...args], { cwd: root, env, stdio: ["ignore", 2, 2] });
    if (status !== 0) throw new Error("the release failed on a node: see above");
    return readFileSync(report, "utf8");
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

interface ReleaseOptions {
  readonly out: string;
  readonly registry: string;
  /** The site of earlier versions. */
  readonly published: string | undefined;
  readonly withNode: boolean;
}

const release = async ({ out, registry, published, withNode }: ReleaseOptions): Promise<void> => {
  const version = versionOf(read("package.json"), read("deploy/helm/turnpike/Chart.yaml"));
  const again = mkdtempSync(join(tmpdir(), "turnpike-again-"));
  try {
    mkdirSync(out, { recursive: true });
    if (readdirSync(out).length > 0) throw new Error(`${out} is not empty`);
    await make(out, version, published);
    await make(again, version, published);
    const [first, second] = [digestsOf(out), digestsOf(again)];
    const different = [...first].filter(([name, digest]) => second.get(name) !== digest).map(([name]) => name);
    if (different.length > 0) throw new Error(`made twice, and not the same: ${different.join(", ")}`);
    const verified = await verify(out, version);
    const onNode = withNode ? verifyOnNode(out) : "node: not verified (--no-node)";
    writeFileSync(join(out, "SHA256SUMS"), [...first].map(([name, digest]) => `${digest}  ${name}\n`).join(""));
    for (const [name, digest] of first)
      console.log(`${name.padEnd(36)} ${String(statSync(join(out, name)).size).padStart(10)} B  sha256:${digest}`);
    console.log("made twice: the same");
    for (const line of [...verified, onNode]) console.log(line);
    console.log("would push:");
    for (const line of pushedBy(version, registry)) console.log(`  ${line}`);
  } finally {
    rmSync(again, { recursive: true, force: true });
  }
};

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      "dry-run": { type: "boolean", default: false },
      "no-node": { type: "boolean", default: false },
      out: { type: "string", default: "release" },
      registry: { type: "string", default: "REGISTRY" },
      docs: { type: "string" },
    },
  });
  if (!values["dry-run"]) {
    process.stderr.write("only --dry-run works here: a host's workflow pushes what it makes\n");
    process.exitCode = 2;
  } else
    await release({
      out: resolve(values.out),
      registry: values.registry,
      published: values.docs,
      withNode: !values["no-node"],
    });
}
