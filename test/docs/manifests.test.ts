/** Manifests in the documentation are such as can be applied: known fields alone, and Gateways and routes that make sense together. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { pages, readPage } from "../../scripts/site/pages.ts";
import { worldOfDirectory } from "../../src/cli/world.ts";
import { lint } from "../../src/lint/lint.ts";
import { operatorOptions } from "../../src/runtime/options.ts";
import { chart, helmFor } from "../chart/helm.ts";
import { blocksOf } from "./shell.ts";

const VALUES = /^# values\.yaml\b/;

const yamlOf = (page: string): readonly string[] =>
  blocksOf(readPage(page)).flatMap(({ language, text }) => (language === "yaml" ? [text] : []));

const isManifest = (text: string): boolean => /^apiVersion: /m.test(text) && /^kind: /m.test(text);

/** A file or folder of manifests and what is wrong with it, errors alone. */
const wrongWith = async (manifests: readonly string[]): Promise<readonly string[]> => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-docs-"));
  try {
    manifests.forEach((text, index) => writeFileSync(join(folder, `${index}.yaml`), text));
    const { core, rejections } = await worldOfDirectory(folder, operatorOptions());
    const { view, options, rendered } = core;
    const hasGateway = view.list("Gateway").length > 0 && view.list("GatewayClass").length > 0;
    const found = hasGateway ? lint({ view, options, rendered, hasEndpoints: false, now: Date.now() }) : [];
    return [
      ...rejections.map(({ object, field, reason }) => `${object}: ${field}: ${reason}`),
      // A Service, or the bytes of a certificate, that a page leaves to the reader.
      ...found
        .filter(({ severity }) => severity === "error")
        .filter(({ code, says }) => code !== "backend-missing" && !says.endsWith("the certificate cannot be read"))
        .map(({ code, object, says }) => `${code}: ${object}: ${says}`),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const withYaml = pages.filter((page) => yamlOf(page).length > 0);

describe("the manifests of the documentation", () => {
  it.each(withYaml)("are YAML, in %s", (page) => {
    for (const text of yamlOf(page))
      for (const document of parseAllDocuments(text)) expect(document.errors, text).toEqual([]);
  });

  it.each(withYaml.filter((page) => yamlOf(page).some(isManifest)))("can be applied, in %s", async (page) => {
    expect(await wrongWith(yamlOf(page).filter(isManifest))).toEqual([]);
  });

  it.each(withYaml.filter((page) => yamlOf(page).some((text) => VALUES.test(text))))(
    "have values that the chart takes, in %s",
    async (page) => {
      const helm = await helmFor();
      const folder = mkdtempSync(join(tmpdir(), "turnpike-docs-"));
      const file = join(folder, "values.yaml");
      for (const text of yamlOf(page).filter((one) => VALUES.test(one))) {
        writeFileSync(file, text);
        expect(await helm("template", "release", chart, "--values", file)).toContain("kind: Deployment");
      }
      rmSync(folder, { recursive: true, force: true });
    },
  );
});

describe("the check itself", () => {
  it("reports an unknown field, and of a Gateway without a class", async () => {
    const config = "apiVersion: stunner.l7mp.io/v1\nkind: GatewayConfig\nmetadata: { name: a, namespace: b }\n";
    expect((await wrongWith([`${config}spec: { relm: x }`])).join()).toContain("relm");
    const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: a, namespace: b }
spec: { gatewayClassName: none, listeners: [{ name: udp, port: 3478, protocol: TURN-UDP }] }`;
    const other = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: c }
spec: { controllerName: stunner.l7mp.io/gateway-operator }`;
    expect((await wrongWith([gateway, other])).length).toBeGreaterThan(0);
  });
});
