/** Merges the answers of several relays that share listeners. */
import type {
  AdmissionChange,
  ApplyReport,
  ClusterState,
  ListenerChange,
  ListenerState,
  OpenCounts,
  RelayState,
  RelaySummary,
} from "../relay.ts";

const sum = (into: Record<string, number>, more: Readonly<Record<string, number>>): void => {
  for (const [key, value] of Object.entries(more)) into[key] = (into[key] ?? 0) + value;
};

const mergeListeners = (states: readonly ListenerState[]): readonly ListenerState[] => {
  const byName = new Map<string, ListenerState>();
  for (const state of states) {
    const before = byName.get(state.name);
    byName.set(
      state.name,
      before === undefined
        ? state
        : {
            ...(before.state === "failed" ? before : state),
            connections: before.connections + state.connections,
            connectionsTotal: before.connectionsTotal + state.connectionsTotal,
            httpConnections: before.httpConnections + state.httpConnections,
            httpConnectionsTotal: before.httpConnectionsTotal + state.httpConnectionsTotal,
            handshakes: before.handshakes + state.handshakes,
            failedHandshakes: before.failedHandshakes + state.failedHandshakes,
            kernelDrops: before.kernelDrops + state.kernelDrops,
            bytesIn: before.bytesIn + state.bytesIn,
            bytesOut: before.bytesOut + state.bytesOut,
            packetsIn: before.packetsIn + state.packetsIn,
            packetsOut: before.packetsOut + state.packetsOut,
          },
    );
  }
  return [...byName.values()];
};

const mergeClusters = (states: readonly ClusterState[]): readonly ClusterState[] => {
  const byName = new Map<string, ClusterState>();
  for (const state of states) {
    const key = `${state.gateway} ${state.name}`;
    const before = byName.get(key);
    byName.set(
      key,
      before === undefined
        ? state
        : {
            ...state,
            bytesIn: before.bytesIn + state.bytesIn,
            bytesOut: before.bytesOut + state.bytesOut,
            packetsIn: before.packetsIn + state.packetsIn,
            packetsOut: before.packetsOut + state.packetsOut,
          },
    );
  }
  return [...byName.values()];
};

const mergeOpen = (all: readonly OpenCounts[]): OpenCounts => {
  const allocations = {};
  for (const one of all) sum(allocations, one.allocations);
  const total = (of: (one: OpenCounts) => number): number => all.reduce((before, one) => before + of(one), 0);
  return {
    allocations,
    connections: total(({ connections }) => connections),
    channels: {
      kernel: total(({ channels }) => channels.kernel),
      userSpace: total(({ channels }) => channels.userSpace),
    },
  };
};

export const mergeStates = (states: readonly RelayState[]): RelayState => ({
  ...mergeSummaries(states),
  allocations: states.flatMap(({ allocations }) => allocations),
});

export const mergeSummaries = (states: readonly RelaySummary[]): RelaySummary => {
  const counters = { refused: {}, denied: {}, opened: {}, closed: {}, moved: {}, dropped: {} };
  // Every thread counts the ports of all.
  const relayPorts = states.at(-1)?.relayPorts;
  for (const state of states)
    for (const name of ["refused", "denied", "opened", "closed", "moved", "dropped"] as const)
      sum(counters[name], state[name]);
  return {
    ...counters,
    waiting: states.reduce((sum, { waiting }) => sum + waiting, 0),
    clusters: mergeClusters(states.flatMap(({ clusters }) => clusters)),
    listeners: mergeListeners(states.flatMap(({ listeners }) => listeners)),
    open: mergeOpen(states.map(({ open }) => open)),
    ...(relayPorts === undefined ? {} : { relayPorts }),
    offload: states.find(({ offload }) => offload !== undefined)?.offload,
  };
};

const connectionsOf = (
  { connections: one }: AdmissionChange,
  { connections: other }: AdmissionChange,
): Pick<AdmissionChange, "connections"> =>
  one === undefined && other === undefined ? {} : { connections: (one ?? 0) + (other ?? 0) };

/** Every relay makes the same admission changes; the numbers of dropped objects add up. */
export const mergeReports = (reports: readonly ApplyReport[]): ApplyReport => {
  const admission = new Map<string, AdmissionChange>();
  for (const change of reports.flatMap((report) => report.admission)) {
    const key = `${change.cluster} ${change.endpoint}`;
    const before = admission.get(key);
    admission.set(
      key,
      before === undefined || change.change !== "revoke"
        ? change
        : {
            ...change,
            permissions: (before.permissions ?? 0) + (change.permissions ?? 0),
            channels: (before.channels ?? 0) + (change.channels ?? 0),
            ...connectionsOf(before, change),
          },
    );
  }
  const listeners = new Map<string, ListenerChange>();
  for (const change of reports.flatMap((report) => report.listeners)) {
    const before = listeners.get(change.listener);
    // A listener that failed in any relay has failed.
    if (before === undefined || change.change === "failed") listeners.set(change.listener, change);
  }
  return { admission: [...admission.values()], listeners: [...listeners.values()] };
};
