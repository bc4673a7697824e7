/** The completions, in the shells that they are for. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { turnpike } from "../support/commands.ts";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "turnpike-completion-"));
  for (const shell of shells) {
    const { code, stdout } = await turnpike(["completion", shell]);
    expect(code).toBe(0);
    writeFileSync(join(folder, shell), stdout);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (shell: Shell, script: string): readonly string[] => {
  const bare = { bash: ["--norc", "--noprofile"], zsh: ["-f"], fish: ["--no-config"] }[shell];
  const output = execFileSync(shell, [...bare, "-c", script], { encoding: "utf8", cwd: folder });
  return output.split("\n").filter((line) => line !== "");
};

/** What is offered for the last of `words`. */
const completed: Readonly<Record<Shell, (words: readonly string[]) => readonly string[]>> = {
  bash: (words) =>
    run(
      "bash",
      `source ./bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _turnpike; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ),
  // Without a terminal zsh completes nothing, but it says what it would describe.
  zsh: (words) => {
    const last = words.at(-1) ?? "";
    const offered = run(
      "zsh",
      `compdef() { }; _describe() { print -rl -- "\${(P@)@[-1]}" }; _files() { print -l * }; source ./zsh; words=(${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length}; _turnpike`,
    );
    return offered.map((line) => line.split(":")[0] ?? "").filter((word) => word.startsWith(last));
  },
  fish: (words) =>
    run("fish", `source ./fish; complete -C '${words.join(" ")}'`).map((line) => line.split("\t")[0] ?? ""),
};

describe.each(shells)("the completion of %s", (shell) => {
  it.each([
    [
      ["turnpike", "con"],
      ["config", "connect"],
    ],
    [["turnpike", "lint", "--require"], ["--require-reference-grants"]],
    [
      ["turnpike", "config", "-o", ""],
      ["json", "jsonpath=", "table", "yaml"],
    ],
    [
      ["turnpike", "render", "--output", "j"],
      ["json", "jsonpath="],
    ],
    [["turnpike", "log", "sl"], ["slice"]],
    [["turnpike", "log", "slice", "--pseudo"], ["--pseudonymise"]],
    [["turnpike", "completion", "f"], ["fish"]],
    [["turnpike", "config", "--watch", "--all-"], ["--all-namespaces"]],
    [["turncat", "--ins"], ["--insecure"]],
    [["/usr/bin/kubectl-turnpike", "expl"], ["explain"]],
    [["turnpike", "probe", "--peer", "1"], []],
  ])("offers for %j", (words, offered) => {
    expect(completed[shell](words).toSorted()).toEqual(offered);
  });

  it("offers folders where a folder is asked for", () => {
    execFileSync("mkdir", ["-p", join(folder, "journal")]);
    const [first] = completed[shell](["turnpike", "explain", "--journal", "jour"]);
    expect(first).toMatch(/^journal\/?$/);
  });
});

describe("turnpike completion", () => {
  it("knows three shells", async () => {
    const { code, stderr } = await turnpike(["completion", "powershell"]);
    expect(stderr).toMatch(/Allowed choices are bash, zsh, fish/);
    expect(code).toBe(2);
  });
});

describe("kubectl turnpike", () => {
  it("is turnpike", async () => {
    const { stdout } = await turnpike(["--version"], { as: "kubectl-turnpike" });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
  });
});
