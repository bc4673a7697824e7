/**
 * What is of Debian in the image: the libraries that Node's binary is linked with, the certificates that browsers trust, and the
 * names of things in `/etc`. Downloaded by apt, which checks signatures, and unpacked; nothing of it is run.
 */
import { globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./architecture.ts";
import { command } from "./command.ts";

/** Debian 13; with its updates. */
export const SUITE = "trixie";

/** Name → why. The first makes the links that the others rely on. */
const PACKAGES = {
  "base-files": "which Debian this is, for scanners; /lib and /lib64",
  libc6: "Node's binary",
  "libgcc-s1": "Node's binary",
  "libstdc++6": "Node's binary",
  "gcc-14-base": "the licence of the two above",
  "ca-certificates": "certificates that browsers trust",
} as const;

/** What nothing in the image reads, or would run. */
const LEFT_OUT = [
  "etc/{profile.d,skel,update-motd.d,ca-certificates,issue*}",
  "usr/{games,include,sbin,src}",
  "usr/share/{base-files,bug,dict,gcc,gdb,info,lintian,locale,man,misc,pam-configs}",
  "usr/share/doc/*/!(copyright)",
  "usr/lib/*/gconv",
];

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly source: string;
}

/** For machines that are not Debian. They need its keys: the package debian-archive-keyring. */
const MIRRORS = ["http://deb.debian.org/debian", "http://deb.debian.org/debian-security"] as const;

/** Where this machine gets its own packages, if they are Debian's; not from its lists, which it may not have yet. */
const mirrors = (cwd: string): readonly string[] => {
  const uris = command("apt-get", ["update", "--print-uris"], { cwd });
  const own = [...uris.matchAll(/^'(http\S+\/debian(?:-security)?)\/dists\//gm)].map(([, uri = ""]) => uri);
  return own.length === 0 ? MIRRORS : [...new Set(own)];
};

/** An apt that knows nothing of this machine's packages, but of `architecture`'s of the suite. */
const aptFor = (folder: string, { debian }: Architecture): ((...args: readonly string[]) => string) => {
  const [lists, archives] = [join(folder, "lists"), join(folder, "archives")];
  for (const one of [lists, archives]) mkdirSync(join(one, "partial"), { recursive: true });
  const signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
  const sources = mirrors(folder).flatMap((uri) =>
    (uri.endsWith("-security") ? [`${SUITE}-security`] : [SUITE, `${SUITE}-updates`]).map(
      (suite) => `deb ${signed} ${uri} ${suite} main\n`,
    ),
  );
  for (const suite of [SUITE, `${SUITE}-security`])
    if (!sources.some((line) => line.includes(` ${suite} `))) throw new Error(`apt has no mirror of ${suite} here`);
  writeFileSync(join(folder, "sources.list"), sources.join(""));
  writeFileSync(join(folder, "status"), "");
  const settings = {
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "-",
    "Dir::State::Lists": lists,
    "Dir::State::Status": join(folder, "status"),
    "Dir::Cache::Archives": archives,
    "Dir::Cache::PkgCache": "",
    "Dir::Cache::SrcPkgCache": "",
    "APT::Architecture": debian,
    "APT::Architectures": debian,
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return (...args) => command("apt-get", [...options, "-q", ...args], { cwd: folder });
};

const field = (control: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)$`, "m").exec(control)?.[1];

/** All certificates in one file, as Debian makes it when the package is configured. */
const bundleCertificates = (root: string): void => {
  const folder = join(root, "usr/share/ca-certificates/mozilla");
  const names = readdirSync(folder).toSorted();
  mkdirSync(join(root, "etc/ssl/certs"), { recursive: true });
  const text = names.map((name) => readFileSync(join(folder, name), "utf8").trimEnd());
  writeFileSync(join(root, "etc/ssl/certs/ca-certificates.crt"), `${text.join("\n")}\n`);
};

/** Puts the packages into `root`. @param folder to work in. */
export const installDebian = (root: string, folder: string, architecture: Architecture): readonly DebianPackage[] => {
  mkdirSync(folder, { recursive: true });
  const apt = aptFor(folder, architecture);
  apt("update");
  apt("download", ...Object.keys(PACKAGES));
  const archives = readdirSync(folder).filter((name) => name.endsWith(".deb"));
  // Scanners know by these files what a distroless image has.
  const status = join(root, "var/lib/dpkg/status.d");
  mkdirSync(status, { recursive: true });
  const installed = Object.keys(PACKAGES).map((name) => {
    const archive = archives.find((one) => one.startsWith(`${name}_`));
    if (archive === undefined) throw new Error(`apt has not brought ${name}`);
    command("dpkg-deb", ["-x", archive, root], { cwd: folder });
    const control = command("dpkg-deb", ["-f", archive], { cwd: folder });
    writeFileSync(join(status, name), control);
    const version = field(control, "Version") ?? "";
    return { name, version, source: field(control, "Source")?.split(" ")[0] ?? name };
  });
  bundleCertificates(root);
  for (const path of globSync(LEFT_OUT, { cwd: root })) rmSync(join(root, path), { recursive: true });
  rmSync(folder, { recursive: true });
  return installed;
};
