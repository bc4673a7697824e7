/**
 * What a release publishes: the commands of `.github/workflows/release.yml`, by job. `npm run release -- --dry-run` prints them,
 * and a test compares them with the workflow. `${…}` are variables of the shell.
 */
export interface Publication {
  /** Its job in the workflow. */
  readonly job: string;
  readonly what: string;
  /** Run in the folder of the artefacts, unless they name another. */
  readonly commands: readonly string[];
}

const image = "${REGISTRY}/turnpike";
const architectures = ["amd64", "arm64"] as const;

export const publications: readonly Publication[] = [
  {
    job: "artefacts",
    what: "a draft of the release, with every artefact; the other jobs take them from there",
    commands: [
      'gh release create "v${VERSION}" --draft --verify-tag --title "v${VERSION}" --notes-file release-notes.md turnpike-*.tgz turnpike-*.tar.gz turnpike-*.tar turnpike-*.yaml turnpike-*.cdx.json licences.txt SHA256SUMS',
    ],
  },
  {
    job: "npm",
    what: "the npm package, with provenance",
    commands: ['npm publish --provenance --access public "turnpike-${VERSION}.tgz"'],
  },
  {
    job: "image",
    what: "the image for both architectures, with signature and SBOM",
    commands: [
      ...architectures.map(
        (arch) =>
          `skopeo copy --preserve-digests "oci-archive:turnpike-\${VERSION}-${arch}.tar" "docker://${image}:\${VERSION}-${arch}"`,
      ),
      `docker buildx imagetools create --tag "${image}:\${VERSION}" ${architectures.map((arch) => `"${image}:\${VERSION}-${arch}"`).join(" ")}`,
      `cosign sign --yes --recursive "${image}@\${DIGEST}"`,
      ...architectures.map(
        (arch) =>
          `cosign attest --yes --type cyclonedx --predicate "turnpike-\${VERSION}-${arch}.cdx.json" "${image}@\${DIGEST_${arch.toUpperCase()}}"`,
      ),
    ],
  },
  {
    job: "chart",
    what: "the chart, with signature",
    commands: [
      'helm push "turnpike-chart-${VERSION}.tgz" "oci://${REGISTRY}/charts"',
      'cosign sign --yes "${REGISTRY}/charts/turnpike@${DIGEST}"',
    ],
  },
  {
    job: "release",
    what: "the release, with a signature of the checksums",
    commands: [
      "cosign sign-blob --yes --bundle SHA256SUMS.sigstore.json SHA256SUMS",
      'gh release upload "v${VERSION}" SHA256SUMS.sigstore.json',
      'gh release edit "v${VERSION}" --draft=false',
    ],
  },
  {
    job: "site",
    what: "the documentation, as the branch that Pages serves",
    commands: ['git -C .site push --force "https://github.com/${GITHUB_REPOSITORY}" HEAD:gh-pages'],
  },
];

/** `command` with the values of the variables that are known; the others stay as they are. */
export const expand = (command: string, values: Readonly<Record<string, string>>): string =>
  command.replaceAll(/\$\{(\w+)\}/g, (text, name: string) => values[name] ?? text);
