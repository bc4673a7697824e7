/** The artefacts of a release on a real node: the image from its archive, the chart from its file, the archive of the command line. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { makePath, native, unpackArchive } from "../../scripts/archives.ts";
import type { Diagnosis } from "../../src/doctor/doctor.ts";
import { useCalls } from "../node/calls.ts";
import { mediaServers, NAMESPACE, SYSTEM, useStage, type Pod } from "../node/stage.ts";
import { base, gatewayWith, portOf, routeTo } from "../node/world.ts";
import { turnpike } from "../support/commands.ts";
import { given, version } from "./artefacts.ts";

const folder = given("folder");
const architecture = native.cpu === "x64" ? "amd64" : native.cpu;
const image = `turnpike:${version}`;
const archive = `turnpike-${version}-${architecture}.tar`;
const chart = `turnpike-chart-${version}.tgz`;

const stage = useStage({
  count: 1,
  // The image is named as the chart names it by default.
  release: { chart: join(folder, chart), image: () => Promise.resolve(join(folder, archive)), values: [] },
});
const calls = useCalls(stage, "calls through the release");

it("relays a call, and doctor finds nothing wrong", async () => {
  await stage.apply(
    ...base,
    gatewayWith("gateway", ["udp"]),
    routeTo("gateway", "media"),
    ...mediaServers("media", 1, 5, image),
  );
  const [media] = await stage.ready("app=media", 1);
  const { address } = await stage.addressed("gateway");
  const [dataplane] = await stage.ready("app=stunner", 1);
  const imagesOf = ({ spec }: Pod): readonly string[] => spec.containers.map((one) => one.image);
  const [operator] = await stage.ready("app.kubernetes.io/name=turnpike", 1, SYSTEM);
  expect([operator, dataplane].map((pod) => imagesOf(pod!))).toEqual([[image], [image]]);

  const call = await calls.begin("udp", { host: address, port: portOf.udp }, media!.status.podIP);
  await call.flows(200);
  await call.endsWhole();

  const scratch = mkdtempSync(join(tmpdir(), "turnpike-unpacked-"));
  onTestFinished(() => rmSync(scratch, { recursive: true }));
  const bin = unpackArchive(folder, version, native, scratch);
  const args = ["doctor", "--kubeconfig", stage.cluster.kubeconfig, "--output", "json"];
  const { stdout, stderr, code } = await turnpike(args, { bin, cwd: scratch, env: { PATH: makePath(scratch) } });
  expect({ stderr, code }, stdout).toEqual({ stderr: "", code: 0 });
  const { checks } = JSON.parse(stdout) as { readonly checks: readonly Diagnosis[] };
  expect(checks.filter(({ outcome }) => outcome !== "ok")).toEqual([]);
  const made = checks.find(({ check }) => check === "calls")?.says;
  expect(made).toBe("1 of 1 listeners");

  writeFileSync(
    given("report"),
    `node: ${archive} loaded, ${chart} installed in namespace ${SYSTEM}; a Gateway in ${NAMESPACE} relayed a call without loss; ` +
      `\`turnpike doctor\` of the archive: ${checks.length} of ${checks.length} checks ok, test allocation through ${made}`,
  );
});
