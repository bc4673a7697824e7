/** Calls from outside, each with what it shows, and a table of them at the end. */
import { afterAll, afterEach, expect } from "vitest";
import type { Credentials } from "../../src/turn-client/credentials.ts";
import type { TransportName } from "../../src/turn-client/turn-client.ts";
import { eventually } from "../support/eventually.ts";
import { MEDIA_PORT, type Stage } from "./stage.ts";
import { credentials, verification } from "./world.ts";

export interface Through {
  readonly host: string;
  readonly port: number;
  readonly transport?: TransportName;
  /** `user-1`, if absent. */
  readonly as?: Credentials;
}

export interface Call {
  /** IP address of the pod that relays it. */
  readonly relay: string;
  /** Waits until this many more packets have come back. */
  flows(packets: number): Promise<void>;
  /** Ends it: nothing was lost. */
  endsWhole(): Promise<void>;
  /** Ends it: nothing was lost before it was cut off. @returns how many packets came back. */
  endsCut(): Promise<number>;
}

export interface Calls {
  /** Begins a call to port 9000 of a pod at `peer`; waits until the relay admits it. @param what it is to show. */
  begin(what: string, through: Through, peer: string): Promise<Call>;
  /** The code that a permission for a pod at `peer` is refused with; nothing if it is given. */
  refusal(through: Through, peer: string): Promise<number | undefined>;
}

const PACKETS_PER_SECOND = 100;

/** Registers hooks: what a test leaves is ended, and a table is printed at the end. */
export const useCalls = (stage: Stage, title: string): Calls => {
  const rows: string[] = [];
  const open = new Set<number>();
  const record = (what: string, sent: number, lost: number, more = ""): void =>
    void rows.push(`  ${what}: ${sent} packets sent, ${lost} lost${more}`);

  afterEach(async () => {
    for (const call of open) await stage.caller.end(call);
    open.clear();
  });
  afterAll(() => console.log([`${title}:`, ...rows].join("\n")));

  const optionsOf = ({ host, port, transport = "udp", as = credentials }: Through) =>
    ({ host, port, transport, ...as, ...verification, packetsPerSecond: PACKETS_PER_SECOND }) as const;
  const end = (call: number) => {
    open.delete(call);
    return stage.caller.end(call);
  };

  return {
    async begin(what, through, peer) {
      const { number: call, relay } = await eventually(
        () => stage.caller.call(optionsOf(through), { address: peer, port: MEDIA_PORT }),
        200,
      );
      open.add(call);
      return {
        relay,
        flows: (packets) => stage.caller.flows(call, packets),
        async endsWhole() {
          const { sent, lost } = await end(call);
          record(what, sent, lost.length);
          expect(lost, what).toEqual([]);
        },
        async endsCut() {
          const { sent, lost } = await end(call);
          const [first = sent] = lost;
          const before = lost.filter((number, index) => number !== first + index).length;
          record(what, first, before, ", then cut off");
          // Once the first one is lost, so are all that follow.
          expect(lost, what).toEqual(Array.from({ length: sent - first }, (_, index) => first + index));
          return first;
        },
      };
    },
    refusal: (through, peer) => stage.caller.refusal(optionsOf(through), { address: peer, port: MEDIA_PORT }),
  };
};
