/** Every command in the documentation is one that its program takes; none is run. */
import { beforeAll, describe, expect, it } from "vitest";
import { pages, readPage } from "../../scripts/site/pages.ts";
import { helmFor, type Helm } from "../chart/helm.ts";
import { complaintOf, isProgram } from "./commands.ts";
import { blocksOf, commandsOf } from "./shell.ts";

let helm: Helm;
beforeAll(async () => {
  helm = await helmFor();
});

const SHELLS = ["sh", "bash", "console", "shell"];

/** What is typed; of a block with prompts what stands behind them. */
const scriptOf = (text: string): string => {
  const typed = text.split("\n").filter((line) => line.startsWith("$ "));
  return typed.length === 0 ? text : typed.map((line) => line.slice(2)).join("\n");
};

/** It is written from the command line itself, and shows its usage. */
const WRITTEN = "docs/reference/cli.md";

const found = pages
  .filter((page) => page !== WRITTEN)
  .flatMap((page) =>
    blocksOf(readPage(page)).flatMap(({ language, text, line }) => {
      const isShell = language !== undefined && SHELLS.includes(language);
      if (!isShell && language !== undefined && language !== "text") return [];
      const commands = commandsOf(scriptOf(text));
      // A block without a language may be anything: it counts where it begins with a program.
      const counts = isShell || isProgram(commands[0]?.[0] ?? "");
      return counts ? commands.map((words) => ({ at: `${page}:${line}`, words })) : [];
    }),
  );

const complaints = async (): Promise<readonly string[]> => {
  const all: string[] = [];
  for (const { at, words } of found) {
    const complaint = await complaintOf(words, helm);
    if (complaint !== undefined) all.push(`${at}: ${words.join(" ")}: ${complaint}`);
  }
  return all;
};

describe("the commands of the documentation", () => {
  it("are taken by their programs", async () => {
    expect(found.length).toBeGreaterThan(80);
    expect(await complaints()).toEqual([]);
  });
});

describe("the check itself", () => {
  it.each([
    ["turnpike nothing", "there is no turnpike nothing"],
    ["./bin/turnpike log DIR --no-such-option", "has no --no-such-option"],
    ["turnpike probe", "takes 1 to 1 arguments, not 0"],
    ["stunnerctl no-such-thing", "has no no-such-thing"],
    ["npm run no-such-script", "there is no script"],
    ["npx vitest run test/no-such-test", "is not there"],
    ["helm install x deploy/helm/turnpike --set noSuchValue=1", "noSuchValue"],
    ["kubectl get nosuchkinds", "is no kind"],
    ["kubectl apply -f deploy/nothing", "is not there"],
    ["frobnicate", "nobody knows frobnicate"],
  ])("complains of %s", async (script, complaint) => {
    expect(await complaintOf(commandsOf(script)[0] ?? [], helm)).toContain(complaint);
  });

  it("takes scripts apart as a shell does", () => {
    expect(
      commandsOf("A=b turnpike log 'a b' | jq . > file # no more\nhelm list \\\n  -n x && source <(turnpike machines)"),
    ).toEqual([
      ["turnpike", "log", "a b"],
      ["jq", "."],
      ["helm", "list", "-n", "x"],
      ["source"],
      ["turnpike", "machines"],
    ]);
  });
});
