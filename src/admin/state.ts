/** The current state, for `turnpike status` and `/api/v1/state`. It contains no secrets. */
import type { Core } from "../core/core.ts";
import type { AllocationState, RelayState } from "../dataplane/relay.ts";
import type { Rejection } from "../journal/fact.ts";
import { splitKey, type Name, type ObjectKey } from "../resources/keys.ts";
import type { Refusal } from "./latest-refusals.ts";
import { compareText } from "../order.ts";
import { splitEndpoint } from "../resources/entities.ts";

export interface GatewayState {
  readonly name: string;
  /** Empty in a dataplane, which receives no classes. */
  readonly class: string;
  readonly state: string;
  /** Why it has no config. */
  readonly invalid?: string;
  readonly auth?: { readonly type: string; readonly realm: string };
  readonly listeners: readonly {
    readonly name: string;
    readonly protocol: string;
    readonly port: number;
    readonly state: string;
    readonly why: string;
    readonly at: readonly string[];
    readonly routes: readonly string[];
    /** Where connections that are not TURN are passed on, and how many: open, and since the listener started. */
    readonly httpBackend?: { readonly at: string; readonly connections: number; readonly connectionsTotal: number };
  }[];
  readonly status: unknown;
  /** Peers that were denied to its clients, newest first; the last fifty. */
  readonly refusals: readonly Refusal[];
}

export interface ProgramState {
  readonly release: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly operator: string;
  /** `refusal`: why the disk rejects lines at the moment. */
  readonly journal: { readonly folder: string; readonly lastSeq: number; readonly refusal?: string };
  readonly gateways: readonly GatewayState[];
  readonly routes: readonly {
    readonly kind: string;
    readonly name: string;
    readonly state: string;
    readonly status: unknown;
  }[];
  readonly endpoints: readonly {
    readonly name: string;
    readonly address: string;
    readonly state: string;
    /** Of its Service, if they are numbers. */
    readonly ports: readonly number[];
  }[];
  readonly clusters: readonly {
    readonly gateway: string;
    readonly name: string;
    readonly type: string;
    readonly endpoints: readonly string[];
  }[];
  readonly relay: Omit<RelayState, "allocations">;
  readonly allocations: readonly AllocationState[];
  readonly rejections: readonly Rejection[];
}

export interface StateSources {
  readonly core: Core;
  readonly relay: { state(): RelayState; refresh?(): Promise<void> };
  readonly journal: {
    readonly folder: string;
    readonly lastSeq: () => number;
    readonly refusal: () => string | undefined;
  };
  readonly rejections: () => readonly Rejection[];
  readonly refusals: (gateway: Name) => readonly Refusal[];
  readonly release: string;
  readonly startedAt: number;
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]): number => compareText(a, b);

const gatewayStates = ({ core, refusals }: StateSources, relay: RelayState): readonly GatewayState[] =>
  [...core.registry.entities("gateway")].toSorted(byName).flatMap(([id, state]): GatewayState[] => {
    const name = id as Name;
    const object = core.view.get("Gateway", name);
    const rendered = core.rendered(name);
    if (rendered === undefined) return [];
    const { config, invalid } = rendered;
    return [
      {
        name,
        class: object?.spec.gatewayClassName ?? "",
        state,
        ...(invalid === undefined ? {} : { invalid }),
        ...(config === undefined ? {} : { auth: { type: config.auth.type, realm: config.auth.realm } }),
        listeners: rendered.listeners.map(({ name: section, entity, why }) => {
          const serving = relay.listeners.find((one) => one.name === entity);
          const asked = object?.spec.listeners.find((one) => one.name === section);
          const configured = config?.listeners?.find((one) => one.name === entity);
          return {
            name: section,
            protocol: configured?.protocol ?? asked?.protocol ?? "",
            port: asked?.port ?? configured?.port ?? 0,
            state: core.registry.state("listener", entity) ?? "pending",
            why: serving?.reason ?? why,
            at: serving?.at ?? [],
            routes: serving?.routes ?? [],
            ...(configured?.http_backend === undefined
              ? {}
              : {
                  httpBackend: {
                    at: configured.http_backend,
                    connections: serving?.httpConnections ?? 0,
                    connectionsTotal: serving?.httpConnectionsTotal ?? 0,
                  },
                }),
          };
        }),
        status: core.status(`Gateway/${name}` as ObjectKey),
        refusals: refusals(name),
      },
    ];
  });

const portsOf = (core: Core, service: Name): readonly number[] =>
  (core.view.get("Service", service)?.spec?.ports ?? []).flatMap(({ port, targetPort = port }) =>
    typeof targetPort === "number" ? [targetPort] : [],
  );

export const programState = (sources: StateSources): ProgramState => {
  const { core, journal, release, startedAt } = sources;
  const { allocations, ...relay } = sources.relay.state();
  const refusal = journal.refusal();
  return {
    release,
    pid: process.pid,
    startedAt,
    operator: core.registry.state("operator", "operator") ?? "stopped",
    journal: { folder: journal.folder, lastSeq: journal.lastSeq(), ...(refusal === undefined ? {} : { refusal }) },
    gateways: gatewayStates(sources, { ...relay, allocations }),
    routes: [...core.registry.entities("route")].map(([key, state]) => {
      const { kind, name } = splitKey(key as ObjectKey);
      return { kind, name, state, status: core.status(key as ObjectKey) };
    }),
    endpoints: [...core.registry.entities("endpoint")].map(([entity, state]) => {
      const { backend, address } = splitEndpoint(entity);
      return { name: backend, address, state, ports: portsOf(core, backend as Name) };
    }),
    clusters: [...core.registry.entities("gateway").keys()].flatMap((gateway) =>
      (core.rendered(gateway as Name)?.config?.clusters ?? []).map(({ name, type, endpoints }) => ({
        gateway,
        name,
        type,
        endpoints: endpoints ?? [],
      })),
    ),
    relay,
    allocations,
    rejections: sources.rejections(),
  };
};
