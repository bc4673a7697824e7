/**
 * Packs a root file system as an image that needs no Docker to be made: one tar file, an OCI layout that is a docker archive
 * as well, so that `docker load`, `podman load`, `ctr images import` and `kind load image-archive` take it. The same files
 * give the same archive, byte for byte. It needs tar, of GNU, and gzip.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";

/** How a container is run, in the words of the OCI. */
export interface ImageConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
}

export interface Archive {
  /** Folder with the file system. Owners and modes are kept, times are not. */
  readonly root: string;
  /** The file to write. */
  readonly out: string;
  /** Such as `registry.example.org/turnpike:0.1.0`. */
  readonly name: string;
  readonly architecture: "amd64" | "arm64";
  readonly config: ImageConfig;
}

/** Times of files and of the image, in seconds since 1970; anything that does not change. */
const EPOCH = 0;

const tar = (out: string, folder: string, ...files: readonly string[]): void =>
  void command(
    "tar",
    ["--create", "--format=gnu", "--sort=name", `--mtime=@${EPOCH}`, "--numeric-owner", `--file=${out}`, ...files],
    { cwd: folder },
  );

const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** As containerd knows an image that Docker calls `name`. */
const fullName = (name: string): string => {
  const [first = "", ...rest] = name.split("/");
  if (rest.length === 0) return `docker.io/library/${name}`;
  return /[.:]/.test(first) || first === "localhost" ? name : `docker.io/${name}`;
};

/** @throws Error with what tar or gzip said. */
export const writeArchive = ({ root, out, name, architecture, config }: Archive): void => {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-archive-"));
  const blobs = join(folder, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  /** Of a text or of a file that becomes the blob. */
  const blob = (mediaType: string, content: { readonly text: string } | { readonly file: string }) => {
    const file = "file" in content ? content.file : join(folder, "text");
    if ("text" in content) writeFileSync(file, content.text);
    const digest = digestOf(readFileSync(file));
    const { size } = statSync(file);
    renameSync(file, join(blobs, digest));
    return { mediaType: `application/vnd.oci.image.${mediaType}`, digest: `sha256:${digest}`, size };
  };
  const pathOf = ({ digest }: { readonly digest: string }): string => `blobs/sha256/${digest.slice("sha256:".length)}`;
  try {
    const layerFile = join(folder, "layer.tar");
    tar(layerFile, root, ".");
    const diffId = `sha256:${digestOf(readFileSync(layerFile))}`;
    command("gzip", ["--no-name", "--fast", layerFile], { cwd: folder });
    const layer = blob("layer.v1.tar+gzip", { file: `${layerFile}.gz` });
    const created = new Date(EPOCH * 1000).toISOString();
    const settings = blob("config.v1+json", {
      text: JSON.stringify({
        created,
        architecture,
        os: "linux",
        config,
        rootfs: { type: "layers", diff_ids: [diffId] },
        history: [{ created, created_by: "deploy/image/assemble.ts" }],
      }),
    });
    const manifest = blob("manifest.v1+json", {
      text: JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: settings,
        layers: [layer],
      }),
    });
    const annotations = {
      "io.containerd.image.name": fullName(name),
      "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
    };
    const texts = {
      "oci-layout": { imageLayoutVersion: "1.0.0" },
      "index.json": {
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [{ ...manifest, platform: { architecture, os: "linux" }, annotations }],
      },
      // What Docker knew before it knew of OCI.
      "manifest.json": [{ Config: pathOf(settings), RepoTags: [name], Layers: [pathOf(layer)] }],
    };
    for (const [file, text] of Object.entries(texts)) writeFileSync(join(folder, file), JSON.stringify(text));
    tar(out, folder, "blobs", ...Object.keys(texts));
  } finally {
    rmSync(folder, { recursive: true });
  }
};
