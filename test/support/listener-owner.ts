/** What a listener needs from the relay, for tests of listeners without one. */
import type { Socket } from "node:net";
import { defaultLimits, type Limits } from "../../src/dataplane/limits.ts";
import { noCounts, type ListenerOwner, type ListenerPath } from "../../src/dataplane/listeners/listener.ts";

export interface TestOwner extends ListenerOwner {
  isBusy: boolean;
  /** Reasons, in order. */
  readonly reasons: string[];
  /** Of each message that arrived. */
  readonly paths: ListenerPath[];
  readonly ended: ListenerPath[];
  /** Calls that wait until it is not busy. */
  readonly calm: (() => void)[];
  /** Called for each message. */
  took: (path: ListenerPath, bytes: Buffer) => void;
  spliced: Socket | undefined;
}

export const testOwner = (limits: Partial<Limits> = {}, more: Partial<ListenerOwner> = {}): TestOwner => {
  const owner: TestOwner = {
    limits: { ...defaultLimits, ...limits },
    counts: noCounts(),
    natDiscovery: false,
    proxyProtocol: false,
    backend: undefined,
    isStunOnly: false,
    streams: undefined,
    isBusy: false,
    reasons: [],
    paths: [],
    ended: [],
    calm: [],
    took: () => undefined,
    spliced: undefined,
    splice: (socket) => void (owner.spliced = socket),
    whenCalm: (then) => (owner.isBusy ? void owner.calm.push(then) : then()),
    message(bytes, path) {
      owner.paths.push(path);
      owner.took(path, bytes);
    },
    gone: (path) => void owner.ended.push(path),
    dropped: (reason) => void owner.reasons.push(reason),
    failed: () => undefined,
    ...more,
  };
  return owner;
};
