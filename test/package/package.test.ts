/** The npm package: packed, installed into an empty folder, and used there as a newcomer would. */
import { execFile, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openBrowser, untilLoaded, visit } from "../support/browser.ts";
import { makeCertificate } from "../support/certificate.ts";
import { launch, turnpike, type CommandOptions, type Ran, type Running } from "../support/commands.ts";
import { keepLog } from "../support/logs.ts";
import { enterOwnNetwork } from "../support/network.ts";
import { pack, type Packed } from "../support/pack.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const { version, bin: names } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
};

let packed: Packed;
let folder: string;
let bin: string;

const start = (args: readonly string[], options: CommandOptions = {}): Running => {
  const one = launch(args, { cwd: folder, bin, ...options });
  onTestFinished(async () => void (await one.stop()));
  return one;
};
const call = (args: readonly string[], options: CommandOptions = {}): Promise<Ran> =>
  turnpike(args, { cwd: folder, bin, ...options });

/** npm's own patience with a connection to the registry that hangs is longer than a hook's: it is ended, and tried again. */
const INSTALL_MS = 150_000;

const install = async (what: string, tries = 3): Promise<void> => {
  const args = ["install", "--prefer-offline", "--no-audit", what];
  try {
    await run("npm", args, { cwd: folder, timeout: INSTALL_MS, killSignal: "SIGKILL" });
  } catch (error) {
    if (tries === 1) throw error;
    await install(what, tries - 1);
  }
};

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "turnpike-package-")));
  bin = join(folder, "node_modules/.bin");
  packed = await pack(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  await install(packed.tarball);
  // What a user does later must not undo what was installed now.
  await install("ms@2.1.3");
  // The example has the ports that everybody has.
  enterOwnNetwork();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what is in it", () => {
  it("is programs, JavaScript with its types, definitions, the example, and what it carries along", () => {
    const own = packed.files.filter((path) => !path.startsWith("node_modules/"));
    const expected =
      /^(README\.md|LICENSE|CHANGELOG\.md|package\.json|bin\/[a-z-]+|dist\/.+\.(js|d\.ts)|dist\/visualizer\/app\/style\.css|dist\/dataplane\/offload\/[a-z-]+\.bpf\.o|dist\/resources\/schemas\/gateway-api\.json|deploy\/crds\/.+\.yaml|examples\/(quickstart\/(gateway|backend)|cluster\/echo)\.yaml)$/;
    expect(own.filter((path) => !expected.test(path))).toEqual([]);
    expect(own.filter((path) => /\.test\.|\.bench\.|fixtures|^test\//.test(path))).toEqual([]);
    expect(own.filter((path) => path.startsWith("bin/")).toSorted()).toEqual(Object.values(names).toSorted());
    const carried = packed.files.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
    // stun and what it needs.
    expect(new Set(carried).size).toBeLessThan(25);
    expect(carried).toContain("stun");
  });

  it("is small", () => {
    expect(packed.bytes).toBeLessThan(1.2 * 2 ** 20);
    expect(packed.unpackedBytes).toBeLessThan(5 * 2 ** 20);
  });

  it("leaves the checkout as it was", () => {
    expect(packed.left).toEqual([]);
  });
});

describe("what npm installs", () => {
  it("is in order, with the successors of packages that nobody mends, also when more is installed later", async () => {
    // It exits with 1 where something is not as a package.json wants it.
    const { stdout } = await run("npm", ["ls", "--all", "--json"], { cwd: folder, maxBuffer: 16 * 2 ** 20 });
    const found: string[] = [];
    const walk = (dependencies: Dependencies = {}): void => {
      for (const [name, { version: one, dependencies: more }] of Object.entries(dependencies)) {
        if (["ip", "meow", "parse-url"].includes(name)) found.push(`${name}@${one}`);
        walk(more);
      }
    };
    walk((JSON.parse(stdout) as { readonly dependencies: Dependencies }).dependencies);
    expect(found.toSorted()).toEqual(["ip@3.1.0", "meow@14.1.0", "parse-url@11.1.0"]);
    const ip = join(folder, "node_modules/turnpike/node_modules/ip/package.json");
    expect(JSON.parse(readFileSync(ip, "utf8"))).toMatchObject({ name: "neoip" });
    expect(existsSync(join(folder, "node_modules/ip"))).toBe(false);
  });
});

interface Dependencies {
  readonly [name: string]: {
    readonly version: string;
    readonly dependencies?: Dependencies;
  };
}

describe("its programs", () => {
  it.each(Object.keys(names))("%s answers", async (name) => {
    const { code, stdout } = await call(["--help"], { as: name });
    expect(stdout).toMatch(/^Usage: turnpike/);
    expect(code).toBe(0);
  });

  it("are found by npx", async () => {
    const { stdout } = await run("npx", ["--no", "--", "turnpike", "--version"], { cwd: folder });
    expect(stdout.trim()).toBe(version);
  });

  it("are what their names say: stunnerd relays, icetester says what it needs", async () => {
    const relay = start(["turn://user-1:pass-1@127.0.0.1:3490?transport=udp"], { as: "stunnerd" });
    await relay.printed(/127\.0\.0\.1:3490/);
    const { code, stderr } = await call([], { as: "icetester" });
    expect(stderr).toMatch(/npm install werift \(package-missing\)/);
    expect(code).toBe(1);
  });

  it("run with the Node of the PATH where the pinned one is not there, if it is new enough", async () => {
    const pinned = join(folder, `node_modules/node-linux-${process.arch}`);
    const path = join(folder, "path");
    mkdirSync(path);
    for (const name of ["readlink", "dirname"]) symlinkSync(realpathSync(`/usr/bin/${name}`), join(path, name));
    renameSync(pinned, `${pinned}-away`);
    try {
      const missing = await call(["--version"], { env: { PATH: path } });
      expect(missing.stderr).toMatch(/^turnpike: needs Node 22\.19 or later/);
      expect(missing.code).toBe(1);
      symlinkSync(process.execPath, join(path, "node"));
      expect((await call(["--version"], { env: { PATH: path } })).stdout.trim()).toBe(version);
    } finally {
      renameSync(`${pinned}-away`, pinned);
    }
  });
});

describe("turnpike standalone in an empty folder", () => {
  it("runs the example, says so, and is probed as it says", async () => {
    const gateway = start(["standalone", "--reveal"], { env: { npm_command: "exec" } });
    await gateway.printed(/Ctrl-C/);
    const copy = /cp -r (\S+) gateway && npx turnpike standalone gateway/.exec(gateway.output);
    expect(readFileSync(join(copy?.[1] ?? "", "gateway.yaml"), "utf8")).toContain("kind: Gateway");
    expect(gateway.output).toContain("npx turnpike probe turn:127.0.0.1:3478");
    expect(gateway.output).toContain("user user-1, password pass-1");
    const { stdout, code } = await call(["probe", "turn:127.0.0.1:3478"]);
    expect(stdout).toMatch(/10 of 10 echoed, 0 lost/);
    expect(code).toBe(0);
  });

  it("serves the page, whose modules are the JavaScript of the package", async () => {
    const gateway = start(["standalone"]);
    await gateway.printed(/Ctrl-C/);
    const browser = await openBrowser();
    try {
      const { page, problems } = await visit(browser, "127.0.0.1:8086");
      await untilLoaded(page);
      await page
        .getByRole("button", { name: /default\/gateway/ })
        .locator("visible=true")
        .first()
        .waitFor();
      expect(problems).toEqual([]);
      const modules = await page
        .locator("link[rel=modulepreload]")
        .evaluateAll((links) => links.map((link) => link.getAttribute("href")));
      expect(modules.length).toBeGreaterThan(50);
      expect(modules.filter((url) => url?.endsWith(".js") !== true)).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  it("relays on threads, and over DTLS for the program's own client", async () => {
    const copy = join(folder, "gateway");
    cpSync(join(folder, "node_modules/turnpike/examples/quickstart"), copy, { recursive: true });
    const { cert64, key64 } = makeCertificate();
    const manifest = readFileSync(join(copy, "gateway.yaml"), "utf8").trimEnd();
    writeFileSync(
      join(copy, "gateway.yaml"),
      `${manifest}
    - name: dtls
      port: 5349
      protocol: TURN-DTLS
      tls: { mode: Terminate, certificateRefs: [{ name: certificate }] }
---
apiVersion: v1
kind: Secret
metadata: { name: certificate, namespace: default }
type: kubernetes.io/tls
data: { tls.crt: ${cert64}, tls.key: ${key64} }
`,
    );
    const gateway = start(["standalone", "gateway", "--workers", "2"]);
    await gateway.printed(/Ctrl-C/);
    expect((await call(["probe", "turn:127.0.0.1:3478"])).stdout).toContain("10 of 10 echoed");
    const uri = "turn://user-1:pass-1@127.0.0.1:5349?transport=dtls";
    const tunnel = start(["--insecure", "-", uri, "udp://127.0.0.1:9001"], { as: "turncat", input: true });
    await tunnel.printed(/⇄ turn/);
    tunnel.child.stdin?.write("through DTLS and back");
    await tunnel.printed(/through DTLS and back/);
    const { stdout } = await call(["status"]);
    expect(stdout).toMatch(/default\/gateway\/dtls\s+TURN-DTLS\s+serving/);
    await gateway.stop("SIGINT");
    expect((await call(["replay", ".turnpike/journal"])).stdout).toContain("identical");
    keepLog(join(folder, ".turnpike/journal"));
  });
});

describe("turnpike/testing", () => {
  it("is typed, and replays a log", async () => {
    const gateway = start(["standalone", "--journal", "recorded"]);
    await gateway.printed(/Ctrl-C/);
    await gateway.stop("SIGINT");
    writeFileSync(
      join(folder, "replayed.ts"),
      `import { expectReplay, type Replayed } from "turnpike/testing";
const { transitions }: Replayed = expectReplay("recorded", { transitions: ["gateway default/gateway: pending → active"] });
console.log(transitions.length);
// @ts-expect-error: the second argument is an object
export const wrong = () => expectReplay("recorded", 1);
`,
    );
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--skipLibCheck", "false"];
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
    const { stdout, status } = spawnSync(join(root, "node_modules/.bin/tsc"), [...options, ...types, "replayed.ts"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
    expect(Number((await run(process.execPath, ["replayed.ts"], { cwd: folder })).stdout)).toBeGreaterThan(3);
  });
});
