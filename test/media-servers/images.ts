/** Images of media servers, each made once into the cache: a Go program alone, or packages of Debian. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeArchive, type ImageConfig } from "../../deploy/image/archive.ts";
import { command } from "../../deploy/image/command.ts";
import { cacheFolder } from "../cluster/binaries.ts";
import { buildGo } from "../cluster/go-program.ts";
import { exclusively } from "../cluster/lock.ts";
import { pythonWithAiortc } from "../interop/python.ts";

/** The Go module that names the media servers and their versions. */
const programs = fileURLToPath(new URL("programs", import.meta.url));

/** Of a module that `programs/go.mod` names. */
export const versionOf = (module: string): string => {
  const [, version] = new RegExp(`${module} (v\\S+)`).exec(readFileSync(join(programs, "go.mod"), "utf8")) ?? [];
  if (version === undefined) throw new Error(`go.mod has no ${module}`);
  return version;
};

const architecture = process.arch === "arm64" ? "arm64" : "amd64";

/** @param fill puts into an empty folder what the root of the image is. @returns the archive. */
const imageOnce = async (
  key: string,
  name: string,
  config: ImageConfig,
  fill: (root: string) => Promise<void>,
): Promise<string> => {
  const archive = join(cacheFolder(), `${key}.tar`);
  const make = async (): Promise<void> => {
    if (existsSync(archive)) return;
    const root = mkdtempSync(join(tmpdir(), "turnpike-image-"));
    try {
      await fill(root);
      for (const folder of ["tmp", "etc"]) mkdirSync(join(root, folder), { recursive: true });
      const temporary = `${archive}.${process.pid}`;
      writeArchive({ root, out: temporary, name, architecture, config });
      renameSync(temporary, archive);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  };
  mkdirSync(cacheFolder(), { recursive: true });
  await exclusively(`${archive}.lock`, make, () => undefined);
  return archive;
};

/**
 * @param name of the image. @param packageName a package that `programs/go.mod` requires, or a folder beside it.
 * @returns its archive. @throws MissingTool without Go.
 */
export const goImage = async (name: string, packageName: string, program: string): Promise<string> => {
  const built = await buildGo(programs, packageName, program, `builds ${program}, a media server`);
  return imageOnce(
    `${built.slice(built.lastIndexOf("/") + 1)}-image`,
    name,
    { Entrypoint: [`/${program}`] },
    (root) => {
      cpSync(built, join(root, program));
      return Promise.resolve();
    },
  );
};

export interface DebianImage {
  readonly packages: readonly string[];
  /** Packages of PyPI, `NAME==VERSION`, for the Python of `packages`. */
  readonly python?: readonly string[];
  readonly config: ImageConfig;
  /** Text files by their paths in the image. */
  readonly files?: Readonly<Record<string, string>>;
  /** Packages that depend on too much, and the files that are wanted of each; what those need is in `packages`. */
  readonly parts?: Readonly<Record<string, readonly string[]>>;
  /** Patterns of what is left out. */
  readonly without?: readonly string[];
}

const DEBIAN = { name: "bookworm", python: "3.11" };
const JAVA = "17";
/** What no server reads. */
const UNREAD = ["doc", "man", "locale", "icons", "fonts", "perl5", "mime"];
const WHEELS = process.arch === "arm64" ? "aarch64" : "x86_64";

/** A hook that puts files of packages into the new root, whatever those packages depend on. */
const takeParts = (parts: Readonly<Record<string, readonly string[]>>, folder: string): string =>
  [
    "set -e",
    `cd '${folder}'`,
    `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -qq download ${Object.keys(parts).join(" ")}`,
    ...Object.entries(parts).map(
      ([name, files]) =>
        `dpkg-deb --fsys-tarfile ${name}_*.deb | tar -x -C "$1" --no-same-owner ${files.map((file) => `./${file}`).join(" ")}`,
    ),
  ].join("\n");

/** Puts into `root` what `packages` and all that they depend on contain. */
const extractDebian = (
  root: string,
  packages: readonly string[],
  { parts = {}, without = [] }: Pick<DebianImage, "parts" | "without"> = {},
): void => {
  const downloads = mkdtempSync(join(tmpdir(), "turnpike-packages-"));
  // `apt` downloads as a user of its own.
  chmodSync(downloads, 0o777);
  const include = `--include=${packages.join(",")}`;
  const hooks = Object.keys(parts).length === 0 ? [] : [`--extract-hook=${takeParts(parts, downloads)}`];
  try {
    command("mmdebstrap", ["--quiet", "--variant=extract", include, ...hooks, DEBIAN.name, root], { cwd: tmpdir() });
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
  const unread = [...UNREAD.map((folder) => `usr/share/${folder}`), ...without];
  for (const path of globSync(unread, { cwd: root })) rmSync(join(root, path), { recursive: true });
};

/**
 * An image of what `packages` and all that they depend on contain; nothing of it has been configured.
 * @param name of the image. @returns its archive.
 */
export const debianImage = (name: string, image: DebianImage): Promise<string> => {
  const { packages, python = [], config, files = {} } = image;
  const hash = createHash("sha256").update(JSON.stringify([DEBIAN, name, image]));
  const key = `${/[^/:]+(?=:)/.exec(name)?.[0] ?? "debian"}-${hash.digest("hex").slice(0, 12)}-image`;
  return imageOnce(key, name, config, async (root) => {
    extractDebian(root, packages, image);
    if (python.length > 0)
      command(
        await pythonWithAiortc(),
        [
          "-m",
          "pip",
          "install",
          "--quiet",
          "--only-binary=:all:",
          `--python-version=${DEBIAN.python}`,
          ...["manylinux_2_28", "manylinux_2_17", "manylinux2014"].map((kind) => `--platform=${kind}_${WHEELS}`),
          `--target=${join(root, "usr/lib/python3/dist-packages")}`,
          ...python,
        ],
        { cwd: root },
      );
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  });
};

/**
 * An image of the program `main`, one class in Java, and of what the `pom.xml` beside it names, on the Java of Debian.
 * @param name of the image. @param folder in `programs`. @returns its archive. @throws Error without Maven and a JDK.
 */
export const javaImage = async (name: string, folder: string, main: string): Promise<string> => {
  const source = join(programs, folder);
  const hash = createHash("sha256").update(JSON.stringify([DEBIAN, JAVA, name]));
  for (const file of ["pom.xml", `${main}.java`]) hash.update(readFileSync(join(source, file)));
  const config = { Entrypoint: ["/usr/bin/java", "-cp", "/program:/program/*", main], Env: ["LANG=C.UTF-8"] };
  const key = `${folder}-${hash.digest("hex").slice(0, 12)}-image`;
  return imageOnce(key, name, config, (root) => {
    extractDebian(root, [`openjdk-${JAVA}-jre-headless`]);
    symlinkSync(`../lib/jvm/java-${JAVA}-openjdk-${architecture}/bin/java`, join(root, "usr/bin/java"));
    const program = join(root, "program");
    mkdirSync(program);
    command("mvn", ["-q", "-B", "-f", source, "dependency:copy-dependencies", `-DoutputDirectory=${program}`], {
      cwd: program,
    });
    command("javac", ["--release", JAVA, "-cp", `${program}/*`, "-d", program, join(source, `${main}.java`)], {
      cwd: program,
    });
    return Promise.resolve();
  });
};
