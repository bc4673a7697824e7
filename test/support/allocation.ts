/** What an allocation of a unit test is made of. */
import type { AllocationOptions, AllocationScope } from "../../src/dataplane/allocation.ts";
import { noDrops, noTraffic } from "../../src/dataplane/flows.ts";
import { defaultLimits } from "../../src/dataplane/limits.ts";
import { PermissionIndex } from "../../src/dataplane/permission-index.ts";
import { RelayedPorts } from "../../src/dataplane/relayed-ports.ts";
import { Users } from "../../src/dataplane/users.ts";
import { wireAddressOf } from "../../src/net/address.ts";

/** A listener that admits every peer. */
export const testScope = (changes: Partial<AllocationScope> = {}): AllocationScope => ({
  name: "l",
  gateway: { name: "g", users: new Users(defaultLimits), userQuota: 0 },
  routes: new Set(),
  gate: { generation: 0 },
  traffic: noTraffic(),
  drops: noDrops(),
  relayed: new RelayedPorts(),
  isLocal: () => false,
  permissions: new PermissionIndex(),
  countClosed: noTraffic,
  canSetDontFragment: false,
  limits: defaultLimits,
  bandwidthOf: () => undefined,
  check: () => ({ admitted: true, cluster: "c", endpoint: "e" }),
  refused: () => undefined,
  offload: undefined,
  ...changes,
});

export const testOptions = (
  changes: Partial<AllocationOptions> & Pick<AllocationOptions, "now" | "expiresAt">,
): AllocationOptions => ({
  id: 1,
  path: {
    protocol: "udp",
    client: wireAddressOf({ address: "192.0.2.2", port: 1000 }),
    server: { address: "192.0.2.1", port: 3478 },
    send: () => true,
    install: () => undefined,
    remove: () => undefined,
  },
  owner: { username: "u", userId: "u", account: "user u", realm: "r", password: "p" },
  relays: [
    {
      family: 4,
      address: "192.0.2.1",
      port: 50_000,
      attach: () => undefined,
      send: () => undefined,
      close: () => undefined,
    },
  ],
  made: { transactionId: Buffer.alloc(12), response: [] },
  ...changes,
});
