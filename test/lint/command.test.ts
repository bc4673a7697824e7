/** `turnpike lint` as a process: what it prints, and how it ends. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { turnpike } from "../support/commands.ts";
import { startFakeApi } from "../support/fake-api.ts";
import { backends, gateway, gatewayConfig, inFolder, route, world, type Manifest } from "./world.ts";

const example = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));

describe("turnpike lint", () => {
  it("says what is wrong and what to do, and exits 1 at an error", async () => {
    const objects = world([backends({ name: "nothing" }), gateway(undefined, { "stunner.l7mp.io/node-port": "{}" })]);
    const { code, stdout, stderr } = await inFolder(objects, (folder) => turnpike(["lint", folder]));
    expect(stdout).toBe(
      `error: UDPRoute.stunner.l7mp.io/media/route: Service media/nothing is not there (backend-missing)
  what to do: create it, or correct its name or namespace
warning: Gateway/media/gateway: stunner.l7mp.io/node-port (annotation-unknown)
  what to do: check the spelling
1 error, 1 warning
`,
    );
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  });

  it("exits 0 at warnings unless --strict is given, and leaves out ignored findings", async () => {
    const objects = world([gateway(undefined, { "stunner.l7mp.io/node-port": "{}" })]);
    await inFolder(objects, async (folder) => {
      expect((await turnpike(["lint", folder])).code).toBe(0);
      expect((await turnpike(["lint", folder, "--strict"])).code).toBe(1);
      const ignored = await turnpike(["lint", folder, "--strict", "--ignore", "annotation-unknown"]);
      expect(ignored).toEqual({ code: 0, stdout: "0 errors, 0 warnings\n", stderr: "" });
    });
  });

  const nobody = { parentRefs: [{ name: "elsewhere", namespace: "infra" }] };
  const service: Manifest = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "sfu", namespace: "media" },
    spec: { ports: [{ port: 9000, protocol: "UDP" }] },
  };

  it.each<[string, readonly Manifest[]]>([
    ["a route", [route({ ...nobody, rules: [{ backendRefs: [{ name: "sfu" }] }] })]],
    ["a route and its Service", [route({ ...nobody, rules: [{ backendRefs: [{ name: "sfu" }] }] }), service]],
    ["a GatewayConfig", [gatewayConfig()]],
    ["a Service", [service]],
  ])("lints a folder that has only %s, and exits 0", async (_, objects) => {
    const ran = await inFolder(objects, (folder) => turnpike(["lint", folder, "--strict"]));
    expect(ran).toEqual({ code: 0, stdout: "0 errors, 0 warnings\n", stderr: "" });
  });

  it("finds what is wrong in a folder without GatewayClass and Gateway", async () => {
    const external = { ...service, spec: { type: "ExternalName", externalName: "example.org" } };
    const objects = [route({ ...nobody, rules: [{ backendRefs: [{ name: "sfu" }] }] }), external];
    const { code, stdout } = await inFolder(objects, (folder) => turnpike(["lint", folder]));
    expect(stdout).toContain("(backend-unusable)");
    expect(code).toBe(1);
    const misspelt = await inFolder([route({ parentRef: [] })], (folder) => turnpike(["lint", folder]));
    expect(misspelt.stdout).toContain("spec.parentRef: unknown field (manifest)");
    expect(misspelt.code).toBe(1);
  });

  it("gives the same as JSON, and by jsonpath", async () => {
    await inFolder(world([backends({ name: "nothing" })]), async (folder) => {
      expect(JSON.parse((await turnpike(["lint", folder, "-o", "json"])).stdout)).toEqual({
        findings: [
          {
            code: "backend-missing",
            severity: "error",
            object: "UDPRoute.stunner.l7mp.io/media/route",
            says: "Service media/nothing is not there",
            todo: "create it, or correct its name or namespace",
          },
        ],
      });
      expect((await turnpike(["lint", folder, "-o", "jsonpath={.findings[*].code}"])).stdout).toBe("backend-missing\n");
    });
  });

  it("names the line of a document that does not match its schema", async () => {
    await inFolder(world([route({ rules: [{ backendRefs: [] }] })]), async (folder) => {
      const { code, stdout } = await turnpike(["lint", folder]);
      expect(stdout).toMatch(
        /^error: UDPRoute\/media\/route: manifests\.yaml:\d+: spec\.rules\[0\]\.backendRefs: must NOT have fewer than 1 items \(manifest\)$/m,
      );
      expect(code).toBe(1);
    });
  });

  it("finds nothing grave in the example", async () => {
    const { code, stdout } = await turnpike(["lint", example]);
    expect(stdout).toMatch(/^0 errors/m);
    expect(code).toBe(0);
  });

  it("looks at a cluster by its kubeconfig", async () => {
    const api = await startFakeApi();
    const plurals: Readonly<Record<string, string>> = {
      GatewayClass: "gatewayclasses",
      Gateway: "gateways",
      GatewayConfig: "gatewayconfigs",
      UDPRoute: "udproutes",
      Service: "services",
    };
    const put = (object: Manifest): void => {
      const path = `${object.apiVersion === "v1" ? "/api" : "/apis"}/${object.apiVersion}/${plurals[object.kind]}`;
      api.serve(path);
      api.put(path, object);
    };
    for (const object of world([], ["EndpointSlice"])) put(object);
    const folder = mkdtempSync(join(tmpdir(), "turnpike-kubeconfig-"));
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        "current-context": "fake",
        clusters: [{ name: "fake", cluster: { server: api.url, "insecure-skip-tls-verify": true } }],
        contexts: [{ name: "fake", context: { cluster: "fake", user: "me" } }],
        users: [{ name: "me", user: { token: "token" } }],
      }),
    );
    const { code, stdout } = await turnpike(["lint", "--cluster", "--kubeconfig", kubeconfig]);
    expect(stdout).toMatch(/^error: .*: Service media\/server has no endpoints \(backend-missing\)$/m);
    expect(code).toBe(1);
    api.answer({ of: ({ path }) => path.endsWith("/services"), status: 403, times: 9 });
    const refused = await turnpike(["lint", "--cluster", "--kubeconfig", kubeconfig]);
    expect(refused.stderr).toMatch(/^turnpike: services cannot be listed: .* \(api-refused\)\n$/);
    expect(refused.code).toBe(1);
    rmSync(folder, { recursive: true });
    await api.stop();
  });

  it.each([
    [["lint"], 2, /name a directory of manifests, or ask for --cluster/],
    [["lint", example, "--cluster"], 2, /name a directory/],
    [["lint", example, "--ignore", "everything"], 2, /the codes are manifest, /],
    [["lint", "/nonexistent"], 1, /nonexistent/],
    [["lint", "--cluster", "--kubeconfig", "/nonexistent"], 1, /nonexistent/],
  ])("says what is wrong with %j", async (args, code, message) => {
    const ran = await turnpike(args);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr).not.toMatch(/ at .*\.ts:/);
    expect(ran.code).toBe(code);
  });
});
