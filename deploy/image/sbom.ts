/** What is in the image, as CycloneDX: what npm says of its packages, less what was left out, with Node and Debian's. */
import { createHash } from "node:crypto";
import type { Architecture } from "./architecture.ts";
import { SUITE, type DebianPackage } from "./debian.ts";

interface Component {
  readonly "bom-ref": string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly cpe?: string;
  readonly components?: readonly Component[];
  readonly externalReferences?: readonly { readonly type: string; readonly url: string }[];
}

interface Dependency {
  readonly ref: string;
  readonly dependsOn?: readonly string[];
}

export interface Sbom {
  readonly serialNumber: string;
  readonly metadata: { readonly component: Component; readonly timestamp?: string; readonly [more: string]: unknown };
  readonly components: readonly Component[];
  readonly dependencies: readonly Dependency[];
  readonly [more: string]: unknown;
}

export interface Contents {
  /** As `npm sbom` prints it. */
  readonly npm: Sbom;
  /** `NAME@VERSION` of the packages of it that are there. */
  readonly installed: ReadonlySet<string>;
  readonly debian: readonly DebianPackage[];
  /** Node's version. */
  readonly node: string;
  /** What is linked into Node: `process.versions` of that version. */
  readonly linked: Readonly<Record<string, string | undefined>>;
}

/** Numbers of interfaces and data, not of libraries. */
const NO_LIBRARIES = new Set(["node", "modules", "napi", "cldr", "tz", "unicode"]);

const nodeOf = (version: string, linked: Contents["linked"]): Component => ({
  "bom-ref": `node@${version}`,
  type: "platform",
  name: "node",
  version,
  purl: `pkg:generic/node@${version}`,
  cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
  components: Object.entries(linked)
    .filter(([name]) => !NO_LIBRARIES.has(name))
    .map(([name, of = ""]) => ({
      "bom-ref": `node@${version}/${name}@${of}`,
      type: "library",
      name,
      version: of,
      purl: `pkg:generic/${name}@${of}`,
    })),
});

const debianOf = ({ name, version }: DebianPackage, { debian }: Architecture): Component => ({
  "bom-ref": `debian/${name}@${version}`,
  type: "library",
  name,
  version,
  purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${debian}&distro=${SUITE}`,
});

/** npm passes on addresses as git takes them (`git@HOST:PATH`); CycloneDX asks for URIs. */
const withUris = (component: Component): Component => ({
  ...component,
  externalReferences: (component.externalReferences ?? []).map((reference) => ({
    ...reference,
    url: reference.url.replace(/^([\w.-]+@[\w.-]+):(?!\/)/, "ssh://$1/"),
  })),
});

/** A UUID (version 8 of RFC 9562) that follows from what it names. */
const uuidOf = (content: unknown): string => {
  const hex = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
};

/** The same for the same contents: it says nothing of when, and its number follows from them. */
export const sbomOf = (contents: Contents, architecture: Architecture): Sbom => {
  const { npm, installed, debian, node, linked } = contents;
  const turnpike: Component = { ...npm.metadata.component, name: "turnpike", type: "application" };
  const components = [
    turnpike,
    // An alias has the name that it is asked for by; in its purl stands whose it is.
    ...npm.components.filter(({ "bom-ref": ref }) => installed.has(ref)).map(withUris),
    nodeOf(node, linked),
    ...debian.map((one) => debianOf(one, architecture)),
  ];
  const { timestamp: _, ...metadata } = npm.metadata;
  const refs = new Set(components.map(({ "bom-ref": ref }) => ref));
  return {
    ...npm,
    serialNumber: `urn:uuid:${uuidOf({ components, architecture })}`,
    metadata: {
      ...metadata,
      component: {
        "bom-ref": "image",
        type: "container",
        name: `turnpike/${architecture.debian}`,
        version: turnpike.version,
      },
    },
    components,
    dependencies: [
      { ref: "image", dependsOn: [turnpike["bom-ref"], `node@${node}`] },
      ...npm.dependencies
        .filter(({ ref }) => refs.has(ref))
        .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) })),
    ],
  };
};
