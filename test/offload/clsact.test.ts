/** Offload on kernels without TCX links: the program is behind a filter, which outlives its process and then does nothing. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { loadBpf } from "../../src/dataplane/offload/bpf.ts";
import { openClsact } from "../../src/dataplane/offload/clsact.ts";
import { interfaceOf } from "../../src/dataplane/offload/interfaces.ts";
import { closeProgram, loadProgram } from "../../src/dataplane/offload/program.ts";
import { tiedToUs } from "../cluster/process.ts";
import { eventually } from "../support/eventually.ts";
import { startEchoBackend } from "../support/live.ts";
import { addAddress, enterOwnNetwork } from "../support/network.ts";
import { startStream } from "../support/stream.ts";
import { bpfObjectsOf, exists } from "./bpf-objects.ts";
import { POD, PORT, startRelayInPod } from "./relay-in-pod.ts";

const PEER = "10.244.0.3";
const LINK = "pods";
const HOLDER = fileURLToPath(new URL("hold-filter.ts", import.meta.url));
const client = { host: POD, port: PORT, username: "user-1", password: "pass-1", packetsPerSecond: 200 } as const;

beforeAll(() => {
  enterOwnNetwork();
  addAddress(PEER);
});

const tc = (pid: number | undefined, ...args: readonly string[]): string => {
  const command = ["tc", ...args];
  const [program, ...rest] = pid === undefined ? command : ["nsenter", "--net", "--target", String(pid), ...command];
  const { status, stdout, stderr } = spawnSync(program!, rest, { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
};
/** The names of the filters of relays on an interface. */
const filtersOn = (link: string, pid?: number): readonly string[] =>
  [...tc(pid, "filter", "show", "dev", link, "ingress").matchAll(/handle 0x\S+ (turnpike-\S+)/g)].map(
    ([, name]) => name!,
  );

const kill = async (child: ChildProcess): Promise<void> => {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
};

const hold = async (): Promise<ChildProcess> => {
  const [program, ...args] = tiedToUs("KILL", [process.execPath, HOLDER, LINK]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => kill(child));
  expect(await once(createInterface({ input: child.stdout }), "line")).toEqual(["attached"]);
  return child;
};

describe("a relay on a kernel without TCX links", () => {
  it.each([
    ["one thread", []],
    ["threads", ["--udp-thread-num", "2"]],
  ])("forwards calls in the kernel, and stops and starts again without a loss (%s)", async (_, flags) => {
    const relay = await startRelayInPod({ endpoints: [PEER], interfaces: ["eth0"] }, flags, { isWithoutTcx: true });
    onTestFinished(() => relay.stop());
    const echo = await startEchoBackend(PEER);
    onTestFinished(() => echo.close());
    const note = "the kernel has no TCX links (Linux 6.6), so it is a clsact filter";
    const isOn = async () =>
      expect((await relay.state()).relay.offload).toMatchObject({ engine: "TC", interfaces: [{ name: "eth0", note }] });
    await eventually(isOn);
    const { pid } = relay.pod.child;
    expect(filtersOn("eth0", pid)).toHaveLength(1);
    const call = await startStream(client, echo);
    onTestFinished(() => call.stop());
    await call.flows(400);
    const [allocation] = (await relay.state()).allocations;
    expect(allocation?.channels).toMatchObject([{ way: "kernel" }]);
    // What the kernel forwarded is counted by its program alone.
    const { offload } = (await relay.state()).relay;
    expect(offload?.engine === "TC" && offload.passed["no-flow"]).toBeLessThan(call.sent / 4);

    relay.write({ endpoints: [PEER], engine: "None" });
    await eventually(() => expect(filtersOn("eth0", pid)).toEqual([]));
    await call.flows(100);
    relay.write({ endpoints: [PEER], interfaces: ["eth0"] });
    await eventually(isOn);
    await call.flows(100);
    expect(await call.lost()).toEqual([]);
  });
});

describe("a filter", () => {
  it("does nothing once its process is killed, and the next relay removes it", async () => {
    const child = await hold();
    const [name] = filtersOn(LINK);
    const objects = bpfObjectsOf(child.pid!);
    expect(objects.length).toBeGreaterThan(5);
    await kill(child);
    // The filter, its program and the map through which it would jump; neither the program that forwards nor the flows.
    await eventually(() =>
      expect(
        objects
          .filter(exists)
          .map(({ kind }) => kind)
          .toSorted(),
      ).toEqual(["map", "prog"]),
    );
    expect(filtersOn(LINK)).toEqual([name]);

    const program = loadProgram();
    const clsact = openClsact(loadBpf(), program.program);
    clsact.attach(interfaceOf(LINK).index);
    expect(filtersOn(LINK)).toHaveLength(1);
    expect(filtersOn(LINK)).not.toContain(name);
    await eventually(() => expect(objects.filter(exists)).toEqual([]));
    clsact.close();
    closeProgram(program);
    expect(filtersOn(LINK)).toEqual([]);
  });

  it("stays while its process lives, beside those of others", async () => {
    tc(undefined, "qdisc", "replace", "dev", LINK, "clsact");
    // Another program's: it matches nothing.
    tc(undefined, "filter", "add", "dev", LINK, "ingress", "prio", "1", "bpf", "bytecode", "1,6 0 0 0,");
    const first = await hold();
    const [name] = filtersOn(LINK);
    await hold();
    expect(filtersOn(LINK)).toHaveLength(2);
    expect(filtersOn(LINK)).toContain(name);
    await kill(first);
    await hold();
    expect(filtersOn(LINK)).toHaveLength(2);
    expect(filtersOn(LINK)).not.toContain(name);
    expect(tc(undefined, "filter", "show", "dev", LINK, "ingress")).toContain("bytecode");
  });

  it("is refused where the interface is gone, with the reason", () => {
    const program = loadProgram();
    const clsact = openClsact(loadBpf(), program.program);
    expect(() => clsact.attach(999_999)).toThrow("adding the clsact qdisc: ENODEV");
    clsact.close();
    closeProgram(program);
  });
});
