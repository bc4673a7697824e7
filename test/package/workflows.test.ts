/** The workflows publish what `npm run release -- --dry-run` says, by commands alone, and actionlint finds nothing in them. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { publications } from "../../scripts/publications.ts";
import { pushedBy } from "../../scripts/release.ts";
import { buildActionlint } from "./actionlint.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, ".github/workflows");
const names = readdirSync(folder);

interface Step {
  readonly name?: string;
  readonly run?: string;
  readonly uses?: string;
}

interface Job {
  readonly "runs-on": string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly needs?: string | readonly string[];
  readonly "timeout-minutes"?: number;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const textOf = (name: string): string => readFileSync(join(folder, name), "utf8");
const workflowOf = (name: string): Workflow => parse(textOf(name)) as Workflow;

const linesOf = ({ steps }: Job): readonly string[] =>
  steps.flatMap(({ run = "" }) => run.split("\n").map((line) => line.trim())).filter((line) => line !== "");

/** Words of commands that send something to others. */
const PUBLISHES =
  /\b(?:publish|push|upload|sign|sign-blob|attest|attach|release (?:create|edit|upload|delete))\b|imagetools create|skopeo copy|gh api|curl|--method/;
const publishing = (job: Job): readonly string[] => linesOf(job).filter((line) => PUBLISHES.test(line));

/** Whether `version` is in `engines.node` of the package: `^A.B.C || ^D.E.F || >=G.H.I`. */
const isSupported = (version: string): boolean => {
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly engines: { readonly node: string };
  };
  const numbers = (text: string): readonly number[] => text.split(".").map(Number);
  const [major = 0, minor = 0] = numbers(version);
  return engines.node.split(" || ").some((range) => {
    const [from = 0, fromMinor = 0] = numbers(range.replace(/^\D+/, ""));
    if (range.startsWith(">=")) return major > from || (major === from && minor >= fromMinor);
    return major === from && minor >= fromMinor;
  });
};

describe.each(names)("the workflow %s", (name) => {
  const workflow = workflowOf(name);
  const jobs = Object.entries(workflow.jobs);

  it("uses no action that is not pinned to a commit", () => {
    const uses = textOf(name).match(/^\s*(?:- )?uses:.*$/gm) ?? [];
    expect(uses.filter((line) => !/@[0-9a-f]{40} # v\d/.test(line))).toEqual([]);
  });

  it("puts no expression into a script", () => {
    const scripts = jobs.flatMap(([, { steps }]) => steps.map(({ run = "" }) => run));
    expect(scripts.filter((run) => run.includes("${{"))).toEqual([]);
  });

  it("installs versions of Node that the package supports, and only exact versions", () => {
    const text = textOf(name);
    const versions = [...text.matchAll(/\bnode@(\S+)/g)].map(([, version]) => version!);
    expect(versions.length).toBeGreaterThan(0);
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version) || !isSupported(version))).toEqual([]);
    expect([...text.matchAll(/\b(?:npm|cosign)@(\S+)/g)].filter(([, one]) => !/^v?\d+\.\d+\.\d+$/.test(one!))).toEqual(
      [],
    );
  });

  it("gives each job a time limit, an image that stays, and no rights beyond its own", () => {
    expect(["{}", '{"contents":"read"}']).toContain(JSON.stringify(workflow.permissions));
    for (const [, job] of jobs) {
      expect(job["timeout-minutes"]).toBeGreaterThan(0);
      expect(job["runs-on"]).toBe("ubuntu-24.04");
    }
  });
});

describe("the workflow of a release", () => {
  const { jobs, on } = workflowOf("release.yml");

  it("begins at a tag, and at nothing else", () => expect(on).toEqual({ push: { tags: ["v*"] } }));

  it("publishes by the commands that the release prints, in the same jobs and order", () => {
    const ran = Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, publishing(job)]));
    expect(ran).toEqual(Object.fromEntries(publications.map(({ job, commands }) => [job, commands])));
    const printed = pushedBy("1.2.3", "registry.example.org").join("\n");
    expect(printed).not.toMatch(/\$\{(?:VERSION|REGISTRY)\}/);
    expect(printed).toContain('  npm publish --provenance --access public "turnpike-1.2.3.tgz"\n');
    expect(printed).toContain('  helm push "turnpike-chart-1.2.3.tgz" "oci://registry.example.org/charts"\n');
  });

  it("publishes only what was verified: each job compares the checksums of the job that made the artefacts", () => {
    for (const name of ["npm", "image", "chart", "release"]) {
      expect(jobs[name]?.needs).toContain("artefacts");
      expect(linesOf(jobs[name]!)).toContain('echo "${CHECKSUMS}  SHA256SUMS" | sha256sum --check');
    }
    expect(jobs["release"]?.needs).toEqual(["artefacts", "npm", "image", "chart"]);
    expect(jobs["site"]?.needs).toBe("release");
  });

  it("installs the image and the chart on a node before it drafts the release", () => {
    const made = linesOf(jobs["artefacts"]!).find((line) => line.includes("npm run release"));
    expect(made).toContain("--dry-run");
    expect(made).not.toContain("--no-node");
  });

  it("lets only those jobs ask for an identity that sign", () => {
    const signing = Object.entries(jobs).filter(([, job]) => job.permissions?.["id-token"] === "write");
    expect(signing.map(([name]) => name)).toEqual(["npm", "image", "chart", "release"]);
  });
});

describe("the workflow of a change", () => {
  const { jobs, on } = workflowOf("ci.yml");

  it("runs for pushes and pull requests, and publishes nothing", () => {
    expect(Object.keys(on)).toEqual(["push", "pull_request"]);
    expect(Object.values(jobs).flatMap(publishing)).toEqual([]);
  });

  it("runs the tests as a release candidate is tested", () =>
    expect(linesOf(jobs["test"]!)).toContain('sudo env "PATH=${PATH}" bash .ci/run'));
});

describe("actionlint", () => {
  it("finds nothing", async () => {
    // Without shellcheck, which a machine may or may not have.
    const args = ["-no-color", "-shellcheck=", "-pyflakes=", ...names.map((name) => join(folder, name))];
    const { status, stdout, stderr } = spawnSync(await buildActionlint(), args, { encoding: "utf8", cwd: root });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  });
});
