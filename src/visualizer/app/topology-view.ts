/** Draws the topology. */

import type { MachineId } from "../../journal/fact.ts";
import type { Actions } from "./actions.ts";
import { h, type Element } from "./element.ts";
import { layOut, NODE, type Layout, type PlacedEdge, type PlacedNode } from "./layout.ts";
import { durationText, empty, onActivate } from "./pieces.ts";
import { edgeRates, rateText } from "./rates.ts";
import { clockOf, isNow, momentOf, type Selection, type State } from "./state.ts";
import { gatewayNode, gatewaysOf, strayRoutes } from "./topology.ts";

const MAX_TITLE = 22;
const MAX_SUBTITLE = 30;
const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

const selectionOf = ({ kind, entity }: PlacedNode): Selection | undefined => {
  if (kind === "more") return undefined;
  return kind === "backend"
    ? { what: "backend", id: entity }
    : { what: "instance", machine: kind satisfies MachineId, entity };
};

const isSelected = ({ selection }: State, node: PlacedNode): boolean => {
  const own = selectionOf(node);
  return own !== undefined && selection !== undefined && JSON.stringify(own) === JSON.stringify(selection);
};

const terminatingText = (state: State, node: PlacedNode): string => {
  const since = node.since === undefined ? "" : ` ${durationText(clockOf(state) - node.since)}`;
  const count = isNow(state) ? state.traffic?.calls[node.title] : undefined;
  const calls = count === undefined ? "" : `, ${count} call${count === 1 ? "" : "s"} left`;
  return `terminating${since}${calls}`;
};

const drawNode = (state: State, actions: Actions, node: PlacedNode): Element => {
  const opens = node.kind === "gateway" || node.kind === "more";
  const act = (): void => {
    const selection = selectionOf(node);
    if (selection !== undefined) actions.select(selection);
    if (opens && (node.kind === "more" || isSelected(state, node) || node.isOpen !== true)) actions.toggle(node.entity);
  };
  const subtitle =
    node.kind === "endpoint" && node.state === "terminating" ? terminatingText(state, node) : node.subtitle;
  const kind = node.kind === "more" ? "group" : node.kind;
  return h(
    "g",
    {
      key: node.id,
      class: `node kind-${node.kind} state-${node.state.replace(/\W/g, "-")}${isSelected(state, node) ? " selected" : ""}`,
      transform: `translate(${node.x},${node.y})`,
      role: "button",
      tabindex: 0,
      "aria-label": `${kind} ${node.title}: ${subtitle}`,
      ...(opens && { "aria-expanded": node.isOpen === true }),
      "data-node": node.entity,
      onClick: act,
      onKeyDown: onActivate(act),
    },
    h("title", null, `${node.title}\n${subtitle}`),
    h("rect", { width: NODE.width, height: NODE.height, rx: 6 }),
    h("rect", { class: "stripe", width: 5, height: NODE.height, rx: 2 }),
    h(
      "text",
      { class: "title", x: 14, y: 18 },
      `${opens ? (node.isOpen === true ? "▾ " : "▸ ") : ""}${cut(node.title, MAX_TITLE)}`,
    ),
    h("text", { class: "subtitle", x: 14, y: 35 }, cut(subtitle, MAX_SUBTITLE)),
  );
};

const drawEdge = (rates: ReadonlyMap<string, number>, edge: PlacedEdge): Element => {
  const rate = edge.counts === undefined ? 0 : (rates.get(edge.counts) ?? 0);
  return h(
    "g",
    { key: edge.id, class: `edge${edge.isBroken ? " broken" : ""}${rate > 0 ? " busy" : ""}` },
    h("path", { d: edge.d, "stroke-width": rate > 0 ? Math.min(8, 1.5 + Math.log10(1 + rate)) : 1.5 }),
    rate > 0 && h("text", { x: edge.labelX, y: edge.labelY, "text-anchor": "middle" }, rateText(rate)),
  );
};

export const layoutOf = (state: State): Layout | undefined => {
  const moment = momentOf(state);
  if (moment === undefined) return undefined;
  return layOut({ gateways: gatewaysOf(moment), nodeOf: ({ name }) => gatewayNode(moment, name), open: state.open });
};

export const TopologyView = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  const moment = momentOf(state);
  const layout = layoutOf(state);
  if (moment === undefined || layout === undefined)
    return empty(
      "Nothing is known at this moment",
      "The log holds no start of the program before it. Move on in the timeline.",
    );
  if (layout.nodes.length === 0)
    return empty(
      "There is no Gateway at this moment",
      "Create a GatewayClass whose controllerName is ",
      h("code", null, moment.options.controllerName),
      ", a GatewayConfig and a Gateway of that class; or move on in the timeline.",
    );
  const rates = isNow(state) ? edgeRates(state.previousTraffic, state.traffic) : new Map<string, number>();
  const strays = state.open.size === 0 ? [] : strayRoutes(moment);
  return h(
    "div",
    { class: "topology" },
    h(
      "svg",
      {
        id: "topology",
        xmlns: "http://www.w3.org/2000/svg",
        width: layout.width,
        height: layout.height,
        style: { maxWidth: `${layout.width}px` },
        viewBox: `0 0 ${layout.width} ${layout.height}`,
        role: "group",
        "aria-label": "Topology: gateways, listeners, routes, services, endpoints",
      },
      layout.edges.map((edge) => drawEdge(rates, edge)),
      layout.nodes.map((node) => drawNode(state, actions, node)),
    ),
    strays.length > 0 &&
      h(
        "p",
        { class: "note" },
        `${strays.length} route${strays.length === 1 ? "" : "s"} name no Gateway of this controller: `,
        strays
          .slice(0, 5)
          .map(({ name }) => name)
          .join(", "),
        strays.length > 5 ? " …" : "",
      ),
  );
};
