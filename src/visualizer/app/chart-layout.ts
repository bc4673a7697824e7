/** Positions of the states and transitions of a machine in its chart. */
import { Graph, layout } from "@dagrejs/dagre";
import type { Definition } from "../definitions.ts";

export interface ChartState {
  readonly name: string;
  readonly isInitial: boolean;
  readonly isFinal: boolean;
  /** Of its centre. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface ChartTransition {
  readonly from: string;
  readonly to: string;
  readonly events: readonly string[];
  readonly d: string;
  readonly x: number;
  readonly y: number;
}

export interface Chart {
  readonly states: readonly ChartState[];
  readonly transitions: readonly ChartTransition[];
  readonly width: number;
  readonly height: number;
}

const CHARACTER = 7;
const LINE = 15;

export const chartOf = ({ initial, states }: Definition): Chart => {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 50, ranksep: 56, edgesep: 24, marginx: 20, marginy: 20 });
  for (const name of Object.keys(states))
    graph.setNode(name, { width: Math.max(96, name.length * CHARACTER + 36), height: 40 });
  const byEnds = new Map<string, { from: string; to: string; events: string[] }>();
  for (const [from, { on = {} }] of Object.entries(states))
    for (const [event, to] of Object.entries(on)) {
      const ends = byEnds.get(`${from} ${to}`);
      if (ends === undefined) byEnds.set(`${from} ${to}`, { from, to, events: [event] });
      else ends.events.push(event);
    }
  for (const [key, { from, to, events }] of byEnds)
    graph.setEdge(
      from,
      to,
      {
        width: Math.max(...events.map(({ length }) => length)) * CHARACTER,
        height: events.length * LINE,
        labelpos: "c",
      },
      key,
    );
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { readonly width?: number; readonly height?: number };
  return {
    width,
    height,
    states: Object.entries(states).map(([name, { type }]) => {
      const node = graph.node(name) as { x: number; y: number; width: number; height: number };
      return { ...node, name, isInitial: name === initial, isFinal: type === "final" };
    }),
    transitions: [...byEnds].map(([key, { from, to, events }]) => {
      const edge = graph.edge(from, to, key) as { x: number; y: number; points: { x: number; y: number }[] };
      const [first, ...rest] = edge.points;
      const d = `M${first?.x},${first?.y} ${rest.map(({ x, y }) => `L${x},${y}`).join(" ")}`;
      return { from, to, events, d, x: edge.x, y: edge.y };
    }),
  };
};
