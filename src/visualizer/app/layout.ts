/** Positions of the nodes of the topology: five columns, each node next to what it belongs to. */
import { countStates, type BackendNode, type EndpointNode, type GatewayNode, type GatewaySummary } from "./topology.ts";

export type NodeKind = "gateway" | "listener" | "route" | "backend" | "endpoint" | "more";

export interface PlacedNode {
  /** Unique in the picture, and stable from one moment to the next. */
  readonly id: string;
  readonly kind: NodeKind;
  /** The target of a click: an instance's entity, a backend's id; for `more`, what it opens. */
  readonly entity: string;
  readonly title: string;
  readonly subtitle: string;
  readonly state: string;
  /** For an endpoint: since when it has had its state, ms since 1970. */
  readonly since?: number | undefined;
  /** For a gateway, or for anything that can be opened. */
  readonly isOpen?: boolean;
  readonly x: number;
  readonly y: number;
}

export interface PlacedEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly d: string;
  /** For a route that no listener takes. */
  readonly isBroken: boolean;
  /** The key of its counters: `listener ENTITY`, `cluster NAME`. */
  readonly counts: string | undefined;
  readonly labelX: number;
  readonly labelY: number;
}

export interface Layout {
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly width: number;
  readonly height: number;
}

export const NODE = { width: 178, height: 44 } as const;
const GAP = { x: 62, y: 12, group: 26 } as const;
const MARGIN = 16;
/** More nodes of a kind than this are shown as a count, until they are opened. */
const MAX_ENDPOINTS = 12;
const MAX_GATEWAYS = 20;

const column = (index: number): number => MARGIN + index * (NODE.width + GAP.x);

const countsText = (nodes: readonly { readonly state: string }[]): string =>
  countStates(nodes)
    .map(([state, count]) => `${count.toLocaleString("en")} ${state}`)
    .join(", ");

/** The most important state. */
const worst = (nodes: readonly { readonly state: string }[]): string =>
  ["failed", "invalid", "terminating", "pending"].find((state) => nodes.some((node) => node.state === state)) ??
  nodes[0]?.state ??
  "active";

export interface LayoutInput {
  readonly gateways: readonly GatewaySummary[];
  /** What is shown of an open gateway. */
  readonly nodeOf: (gateway: GatewaySummary) => GatewayNode;
  /** Open nodes: gateways, and `all gateways`, `endpoints BACKEND`. */
  readonly open: ReadonlySet<string>;
}

export const layOut = ({ gateways, nodeOf, open }: LayoutInput): Layout => {
  const nodes: PlacedNode[] = [];
  const edges: PlacedEdge[] = [];
  let y = MARGIN;

  const place = (node: Omit<PlacedNode, "x" | "y">, columnIndex: number, at: number): PlacedNode => {
    const placed = { ...node, x: column(columnIndex), y: at };
    nodes.push(placed);
    return placed;
  };

  const connect = (from: PlacedNode, to: PlacedNode, counts: string | undefined, isBroken = false): void => {
    const [x1, y1] = [from.x + NODE.width, from.y + NODE.height / 2];
    const [x2, y2] = [to.x, to.y + NODE.height / 2];
    const middle = (x1 + x2) / 2;
    edges.push({
      id: `${from.id} → ${to.id}`,
      from: from.id,
      to: to.id,
      d: `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`,
      isBroken,
      counts,
      labelX: middle,
      labelY: (y1 + y2) / 2 - 5,
    });
  };

  const step = NODE.height + GAP.y;

  const placeEndpoints = (backend: BackendNode, parent: PlacedNode, at: number): number => {
    const key = `endpoints ${backend.id}`;
    const isOpen = backend.endpoints.length <= MAX_ENDPOINTS || open.has(key);
    let row = at;
    if (backend.endpoints.length > MAX_ENDPOINTS) {
      const title = `${backend.endpoints.length.toLocaleString("en")} endpoints`;
      const more = place(
        {
          id: `${parent.id} ${key}`,
          kind: "more",
          entity: key,
          title,
          subtitle: countsText(backend.endpoints),
          state: worst(backend.endpoints),
          isOpen,
        },
        4,
        row,
      );
      connect(parent, more, undefined);
      row += step;
    }
    if (!isOpen) return row;
    for (const endpoint of backend.endpoints) {
      const node = place(endpointPlace(parent.id, endpoint), 4, row);
      connect(parent, node, undefined);
      row += step;
    }
    return row;
  };

  const endpointPlace = (parent: string, { entity, address, state, since }: EndpointNode) => ({
    id: `${parent} endpoint ${entity}`,
    kind: "endpoint" as const,
    entity,
    title: address,
    subtitle: state,
    state,
    since,
  });

  const placeGateway = (summary: GatewaySummary): void => {
    const isOpen = open.has(summary.name);
    const gateway = isOpen ? nodeOf(summary) : undefined;
    const placed = place(
      {
        id: `gateway ${summary.name}`,
        kind: "gateway",
        entity: summary.name,
        title: summary.name,
        subtitle: gateway?.why ? `${summary.state}: ${gateway.why}` : summary.state,
        state: summary.state,
        isOpen,
      },
      0,
      y,
    );
    if (gateway === undefined) {
      y += step;
      return;
    }
    const listeners = new Map<string, PlacedNode>();
    let listenerRow = y;
    for (const listener of gateway.listeners) {
      const node = place(
        {
          id: `listener ${listener.entity}`,
          kind: "listener",
          entity: listener.entity,
          title: listener.name,
          subtitle: [
            `${listener.protocol} ${listener.port}`,
            `${listener.state}${listener.why === "" ? "" : `: ${listener.why}`}`,
            ...(listener.httpBackend === undefined ? [] : [`HTTP: ${listener.httpBackend}`]),
          ].join(" · "),
          state: listener.state,
        },
        1,
        listenerRow,
      );
      listeners.set(listener.entity, node);
      connect(placed, node, `listener ${listener.entity}`);
      listenerRow += step;
    }
    const backends = new Map<string, PlacedNode>();
    let [routeRow, backendRow, endpointRow] = [y, y, y];
    for (const route of gateway.routes) {
      routeRow = Math.max(routeRow, Math.min(backendRow, endpointRow));
      const node = place(
        {
          id: `route ${summary.name} ${route.key} ${route.name}`,
          kind: "route",
          entity: route.key,
          title: route.name,
          subtitle: `${route.kind} · ${route.state}${route.why === "" ? "" : `: ${route.why}`}`,
          state: route.state,
        },
        2,
        routeRow,
      );
      for (const name of route.listeners) {
        const listener = listeners.get(name);
        if (listener !== undefined) connect(listener, node, undefined);
      }
      if (route.listeners.length === 0) connect(placed, node, undefined, true);
      for (const backend of route.backends) {
        let target = backends.get(backend.id);
        if (target === undefined) {
          backendRow = Math.max(backendRow, endpointRow, routeRow);
          target = place(
            {
              id: `backend ${summary.name} ${backend.id}`,
              kind: "backend",
              entity: backend.id,
              title: backend.name,
              subtitle: `${backend.kind}${backend.problem === undefined ? "" : `: ${backend.problem}`}`,
              state: backend.problem === undefined ? "active" : "failed",
            },
            3,
            backendRow,
          );
          backends.set(backend.id, target);
          endpointRow = placeEndpoints(backend, target, Math.max(endpointRow, backendRow));
          backendRow += step;
        }
        connect(node, target, `cluster ${route.name}`);
      }
      routeRow += step;
    }
    y = Math.max(y + step, listenerRow, routeRow, backendRow, endpointRow) + GAP.group;
  };

  const isShort = gateways.length <= MAX_GATEWAYS || open.has("all gateways");
  const shown = isShort ? gateways : gateways.filter((one) => open.has(one.name));
  if (gateways.length > MAX_GATEWAYS) {
    place(
      {
        id: "all gateways",
        kind: "more",
        entity: "all gateways",
        title: `${gateways.length.toLocaleString("en")} gateways`,
        subtitle: countsText(gateways),
        state: worst(gateways),
        isOpen: open.has("all gateways"),
      },
      0,
      y,
    );
    y += step + GAP.group;
  }
  for (const gateway of shown) placeGateway(gateway);
  return { nodes, edges, width: column(4) + NODE.width + MARGIN, height: y + MARGIN };
};
