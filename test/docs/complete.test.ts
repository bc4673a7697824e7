/** Manifests in the documentation are complete: every namespace, Secret and ConfigMap is created on its page, and images are pinned. */
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { pages, readPage } from "../../scripts/site/pages.ts";
import { blocksOf, commandsOf } from "./shell.ts";

/** Namespaces that are there before a page begins: Kubernetes' own, and that of the installation guide. */
const GIVEN = ["default", "turnpike-system"];

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const isManifest = (value: unknown): value is Manifest =>
  typeof value === "object" && value !== null && "kind" in value && "metadata" in value;

const manifestsOf = (markdown: string): readonly Manifest[] =>
  blocksOf(markdown)
    .filter(({ language }) => language === "yaml")
    .flatMap(({ text }) => parseAllDocuments(text))
    .map((document): unknown => document.toJS())
    .filter(isManifest);

/** Every value of a field named `key`, however deep. */
const valuesOf = (key: string, value: unknown): readonly unknown[] =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...valuesOf(key, inner)]);

/** The names in references: `name`, or `secretName` in a volume. */
const namesOf = (manifest: Manifest, keys: readonly string[]): readonly string[] =>
  keys
    .flatMap((key) => valuesOf(key, manifest))
    .flatMap((reference) => [...valuesOf("name", reference), ...valuesOf("secretName", reference)])
    .filter((name) => typeof name === "string");

const references = (manifest: Manifest): readonly string[] => {
  const { namespace } = manifest.metadata;
  return [
    ...(namespace === undefined || GIVEN.includes(namespace) ? [] : [`namespace ${namespace}`]),
    ...namesOf(manifest, ["secretKeyRef", "secretRef", "secret"]).map((name) => `secret ${name}`),
    ...namesOf(manifest, ["configMapKeyRef", "configMapRef", "configMap"]).map((name) => `configmap ${name}`),
  ];
};

/** By a manifest, or by `kubectl create`. */
const created = (markdown: string): ReadonlySet<string> =>
  new Set([
    ...manifestsOf(markdown).map(({ kind, metadata }) => `${kind.toLowerCase()} ${metadata.name}`),
    ...blocksOf(markdown)
      .flatMap(({ text }) => commandsOf(text))
      .filter(([program, verb]) => program === "kubectl" && verb === "create")
      .map(([, , kind = "", ...rest]) => `${kind} ${(rest[0] === "generic" ? rest[1] : rest[0]) ?? ""}`),
  ]);

const missing = (markdown: string): readonly string[] => [
  ...new Set(
    manifestsOf(markdown)
      .flatMap(references)
      .filter((one) => !created(markdown).has(one)),
  ),
];

/** A tag that names no version follows whatever is published next. */
const isPinned = (image: string): boolean => /@sha256:|:[\w.-]*\d[\w.-]*$/.test(image);

const floating = (markdown: string): readonly string[] =>
  manifestsOf(markdown)
    .flatMap((manifest) => valuesOf("image", manifest))
    .filter((image) => typeof image === "string")
    .filter((image) => !isPinned(image));

const withManifests = pages.filter((page) => manifestsOf(readPage(page)).length > 0);

describe("the manifests of the documentation", () => {
  it("are found", () => expect(withManifests.length).toBeGreaterThan(12));

  it.each(withManifests)("refer only to what the page creates, in %s", (page) =>
    expect(missing(readPage(page))).toEqual([]),
  );

  it.each(withManifests)("pin the version of every image, in %s", (page) =>
    expect(floating(readPage(page))).toEqual([]),
  );
});

describe("the check itself", () => {
  const pod = (image: string): string =>
    `\`\`\`yaml
kind: Pod
metadata: { name: a, namespace: b }
spec:
  containers: [{ image: ${image}, env: [{ name: C, valueFrom: { secretKeyRef: { name: d, key: e } } }] }]
  volumes: [{ name: f, configMap: { name: g } }, { name: h, secret: { secretName: i } }]
\`\`\`
`;

  it("reports namespaces, Secrets and ConfigMaps that nothing creates", () => {
    expect(missing(pod("x:1"))).toEqual(["namespace b", "secret d", "secret i", "configmap g"]);
    const commands = ["namespace b", "secret generic d -n b", "configmap g -n b"].map(
      (what) => `    kubectl create ${what}`,
    );
    const manifest = "```yaml\nkind: Secret\nmetadata: { name: i, namespace: b }\n```\n";
    expect(missing(`${commands.join("\n")}\n\n${manifest}\n${pod("x:1")}`)).toEqual([]);
  });

  it.each(["x", "x:latest", "example.org/x:stable", "example.org:5000/x"])("reports the image %s", (image) =>
    expect(floating(pod(image))).toEqual([image]),
  );

  it.each(["x:1.2.3", "example.org:5000/x:v1", "x:stable-1", "x@sha256:00"])("accepts the image %s", (image) =>
    expect(floating(pod(image))).toEqual([]),
  );
});
