/**
 * Whole renderings pinned to files: `golden/CASE.in.yaml` over `golden/base.yaml` gives `golden/CASE.out.yaml`.
 * `UPDATE_GOLDEN=1` writes the latter anew.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { renderConfigMap, renderGateway, renderGatewayClass, renderRoute } from "../../src/render/render.ts";
import { keyOf, nameOfObject } from "../../src/resources/keys.ts";
import { findKind, kindOf, type AnyObject } from "../../src/resources/kinds.ts";
import { validate } from "../../src/resources/schema.ts";
import { routesOf, type RenderOptions } from "../../src/resources/view.ts";
import { defaultOptions, kindIdOf, viewOf } from "./view.ts";

interface Case {
  readonly case: { readonly options?: Partial<RenderOptions>; readonly without?: readonly string[] };
}

const folder = new URL("./golden/", import.meta.url);
const isUpdating = process.env["UPDATE_GOLDEN"] === "1";

const documents = (file: string): readonly unknown[] =>
  parseAllDocuments(readFileSync(new URL(file, folder), "utf8")).map((document): unknown => document.toJS());

/** As a cluster would store it. */
const stored = (manifest: unknown): AnyObject => {
  const { apiVersion, kind } = manifest as AnyObject;
  const known = findKind(apiVersion, kind);
  if (known === undefined) throw new Error(`unknown kind ${apiVersion} ${kind}`);
  const validated = validate(known, manifest);
  if ("problems" in validated) throw new Error(JSON.stringify(validated.problems));
  return validated.object;
};

const keyOfObject = (object: AnyObject): string => keyOf(kindIdOf(object), nameOfObject(kindIdOf(object), object));

const renderCase = (file: string): string => {
  const [header, ...manifests] = documents(file);
  const { options: changes, without = [] } = (header as Case).case;
  const options = { ...defaultOptions, ...changes };
  const objects = new Map(
    [...documents("base.yaml"), ...manifests].map((one) => [keyOfObject(stored(one)), stored(one)]),
  );
  for (const key of without) objects.delete(key);
  const view = viewOf([...objects.values()], options.endpointSource);
  return stringify(
    {
      classes: view.list("GatewayClass").map((object) => {
        const name = nameOfObject("GatewayClass", object);
        const configMap =
          options.mode === "legacy"
            ? { configMap: renderConfigMap(view, options, name, (gateway) => renderGateway(view, options, gateway)) }
            : {};
        return { name, ...renderGatewayClass(view, options, name), ...configMap };
      }),
      gateways: view.list("Gateway").map((object) => {
        const name = nameOfObject("Gateway", object);
        return renderGateway(view, options, name) ?? { name, rendered: "not ours" };
      }),
      routes: routesOf(view).map((route) => ({
        name: `${kindOf(route.kind).group}/${route.name}`,
        ...renderRoute(view, options, route),
      })),
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
};

describe("golden renderings", () => {
  const cases = readdirSync(folder)
    .filter((file) => file.endsWith(".in.yaml"))
    .toSorted();

  it.each(cases)("%s", (file) => {
    const output = new URL(file.replace(".in.yaml", ".out.yaml"), folder);
    const rendered = renderCase(file);
    if (isUpdating) writeFileSync(output, rendered);
    expect(rendered).toBe(readFileSync(output, "utf8"));
  });
});
