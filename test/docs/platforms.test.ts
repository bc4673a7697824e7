/** The pages about platforms: lint finds nothing of the example and each page's Gateway together. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPage, root } from "../../scripts/site/pages.ts";
import { worldOfDirectory } from "../../src/cli/world.ts";
import { lint } from "../../src/lint/lint.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { blocksOf } from "./shell.ts";

const example = readFileSync(join(root, "examples/cluster/echo.yaml"), "utf8");
const pages = readdirSync(join(root, "docs/guides/platforms")).filter((name) => name !== "README.md");

/** Errors and warnings about `manifests`, as `turnpike lint` reports them. */
const findingsIn = async (manifests: readonly string[]): Promise<readonly string[]> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-platforms-"));
  try {
    manifests.forEach((text, index) => writeFileSync(join(folder, `${index}.yaml`), text));
    const { core, rejections } = await worldOfDirectory(folder, operatorOptions());
    const { view, options, rendered } = core;
    return [
      ...rejections.map(({ object, reason }) => `${object}: ${reason}`),
      ...lint({ view, options, rendered, hasEndpoints: false, now: Date.now() }).map(
        ({ code, object, says }) => `${code}: ${object}: ${says}`,
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

describe("the pages about platforms", () => {
  it.each(pages)("have a Gateway of which lint finds nothing, in %s", async (page) => {
    const gateways = blocksOf(readPage(`docs/guides/platforms/${page}`))
      .filter(({ language, text }) => language === "yaml" && text.includes("kind: Gateway\n"))
      .map(({ text }) => text);
    expect(gateways).toHaveLength(1);
    expect(await findingsIn([example, ...gateways])).toEqual([]);
  });
});
