/** A relay that is killed leaves nothing in the kernel, and its clients start over with the next one. */
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startEchoBackend } from "../support/live.ts";
import { randomFrom } from "../support/malformed.ts";
import { addAddress, enterOwnNetwork } from "../support/network.ts";
import { startStream } from "../support/stream.ts";
import { bpfObjectsOf, exists } from "./bpf-objects.ts";
import { POD, PORT, setForwarding, startRelayInPod } from "./relay-in-pod.ts";
import { acceptXdp } from "./xdp-pass.ts";

const PEER = "10.244.0.3";
/** Set TURNPIKE_KILLS for more. */
const KILLS = Number(process.env["TURNPIKE_KILLS"] ?? 5);
const SEED = 20_261_130;
const client = { host: POD, port: PORT, username: "user-1", password: "pass-1", packetsPerSecond: 200 } as const;

beforeAll(() => {
  enterOwnNetwork();
  addAddress(PEER);
});

it(
  `leaves no program, map or link when it is killed ${KILLS} times, with TC and with XDP`,
  async () => {
    const random = randomFrom(SEED);
    const echo = await startEchoBackend(PEER);
    onTestFinished(() => echo.close());
    for (let n = 0; n < KILLS; n += 1) {
      const threads = n % 2 === 0 ? [] : ["--udp-thread-num", "2"];
      const engine = n % 4 > 1 ? "XDP" : "TC";
      const relay = await startRelayInPod({ endpoints: [PEER], engine: engine === "XDP" ? "None" : engine }, threads);
      onTestFinished(() => relay.stop());
      if (engine === "XDP") {
        onTestFinished(acceptXdp(relay.pod.link));
        setForwarding(relay.pod.child.pid);
        relay.write({ endpoints: [PEER], engine });
      }
      await eventually(async () => expect((await relay.state()).relay.offload).toMatchObject({ engine }));
      const call = await startStream(client, echo);
      onTestFinished(() => call.stop());
      await call.flows(20);
      const objects = bpfObjectsOf(relay.pod.child.pid!);
      expect(new Set(objects.map(({ kind }) => kind))).toEqual(new Set(["prog", "map", "link"]));
      expect(objects.every(exists)).toBe(true);
      // Also in the middle of a change.
      if (n % 3 === 0) relay.write({ endpoints: [], engine: "None" });
      await pause(random() * 100);
      relay.pod.child.kill("SIGKILL");
      await relay.pod.ended;
      call.stop();
      await eventually(() => expect(objects.filter(exists)).toEqual([]));
      await relay.stop();
    }
  },
  20_000 * KILLS,
);
