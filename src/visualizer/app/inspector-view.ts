/** The selection: an event with its causes and effects, an instance, a backend. */
import { keyOf, nameOf, splitKey, type Name, type ObjectKey } from "../../resources/keys.ts";
import type { JournalLine, MachineId } from "../../journal/fact.ts";
import { sentence } from "../../journal/sentence.ts";
import type { Actions } from "./actions.ts";
import { h, type Element } from "./element.ts";
import { moveList } from "./machines-view.ts";
import { badge, button, empty, heading, json, seqLink, timeText } from "./pieces.ts";
import { momentOf, type State } from "./state.ts";
import { countStates } from "./topology.ts";
import { splitBackendId, splitEndpoint, splitListener } from "../../resources/entities.ts";

interface Props {
  readonly state: State;
  readonly actions: Actions;
}

const MAX_EFFECTS = 100;

const lineOf = ({ history }: State, seq: number): JournalLine | undefined => {
  const line = history.line(history.positionOf(seq));
  return line?.seq === seq ? line : undefined;
};

const lineItem = (actions: Actions, line: JournalLine): Element =>
  h("li", { key: line.seq }, seqLink(line.seq, actions.goToSeq), ` ${line.type}: ${sentence(line)}`);

const causesOf = (state: State, line: JournalLine): readonly JournalLine[] => {
  const causes: JournalLine[] = [];
  for (let at = line.cause === null ? undefined : lineOf(state, line.cause); at !== undefined;) {
    causes.push(at);
    at = at.cause === null ? undefined : lineOf(state, at.cause);
  }
  return causes;
};

const LineInspector = ({ state, actions, line }: Props & { readonly line: JournalLine }): Element => {
  const causes = causesOf(state, line);
  const effects = state.history.effectsOf(line.seq);
  return h(
    "div",
    null,
    h("h2", null, `Event #${line.seq}`),
    h("p", { class: "says" }, sentence(line)),
    h(
      "dl",
      null,
      h("dt", null, "Type"),
      h("dd", null, line.type),
      h("dt", null, "Time"),
      h("dd", null, `${timeText(line.time)} UTC`),
      h("dt", null, "Source"),
      h("dd", null, line.source),
    ),
    line.type === "transition" &&
      button("Show this instance", () =>
        actions.select({ what: "instance", machine: line.data.machine, entity: line.data.entity }),
      ),
    line.type === "peer.refused" &&
      button("Why was it refused?", () =>
        actions.ask({
          peer: line.data.peer,
          gateway: line.data.gateway,
          position: state.history.positionOf(line.seq),
        }),
      ),
    heading("Because of"),
    causes.length === 0
      ? h(
          "p",
          { class: "note" },
          line.cause === null ? "It came from outside." : `Event #${line.cause}, which is older than this log.`,
        )
      : h(
          "ol",
          { class: "chain", "aria-label": "Causes" },
          causes.map((one) => lineItem(actions, one)),
        ),
    heading(`Led to ${effects.length.toLocaleString("en")}`),
    effects.length === 0
      ? h("p", { class: "note" }, "Nothing followed from it.")
      : h(
          "ol",
          { class: "chain", "aria-label": "Effects" },
          effects.slice(0, MAX_EFFECTS).map((one) => lineItem(actions, one)),
        ),
    effects.length > MAX_EFFECTS && h("p", { class: "note" }, `… and ${effects.length - MAX_EFFECTS} more`),
    heading("Data"),
    json(line.data),
  );
};

/** Objects that an instance stands for, with the event that last reported each. */
const objectsOf = (state: State, actions: Actions, machine: MachineId, entity: string): readonly Element[] => {
  const moment = momentOf(state);
  if (moment === undefined) return [];
  const show = (kind: Parameters<typeof moment.view.get>[0], name: Name): readonly Element[] => {
    const object = moment.view.get(kind, name);
    const seen = moment.seenAt(keyOf(kind, name));
    if (object === undefined) return [];
    return [
      h(
        "details",
        { key: `${kind} ${name}` },
        h("summary", null, `${kind} ${name}`),
        seen !== undefined && h("p", { class: "note" }, "As seen by event ", seqLink(seen, actions.goToSeq)),
        json(object),
      ),
    ];
  };
  switch (machine) {
    case "gateway":
      return [...show("Gateway", entity as Name), ...show("DataplaneConfig", entity as Name)];
    case "listener": {
      const listener = splitListener(entity);
      return listener === undefined ? [] : show("Gateway", listener.gateway);
    }
    case "route": {
      const { kind, name } = splitKey(entity as ObjectKey);
      return show(kind, name);
    }
    case "endpoint": {
      const service = splitEndpoint(entity).backend as Name;
      return [
        ...show("Service", service),
        ...moment.view
          .list("EndpointSlice")
          .filter(
            ({ metadata }) =>
              nameOf(metadata.namespace ?? "default", metadata.labels?.["kubernetes.io/service-name"] ?? "") ===
              service,
          )
          .flatMap(({ metadata }) => show("EndpointSlice", nameOf(metadata.namespace ?? "default", metadata.name))),
      ];
    }
    case "user": {
      const gateway = entity.slice(0, entity.indexOf("@")) as Name;
      return (["Gateway", "DataplaneConfig", "UserRules"] as const).flatMap((kind) => show(kind, gateway));
    }
    case "operator":
      return [];
    default:
      return machine satisfies never;
  }
};

const renderedOf = (state: State, entity: string): readonly Element[] => {
  const rendered = momentOf(state)?.rendered(entity as Name);
  if (rendered === undefined) return [];
  return [
    h(
      "details",
      { key: "config" },
      h("summary", null, "Dataplane config"),
      rendered.config === undefined ? h("p", { class: "note" }, rendered.invalid ?? "none") : json(rendered.config),
    ),
    h("details", { key: "status" }, h("summary", null, "Status"), json(rendered.status)),
    rendered.objects.length > 0
      ? h(
          "details",
          { key: "objects" },
          h("summary", null, `${rendered.objects.length} objects made for it`),
          json(rendered.objects),
        )
      : h("span", { key: "objects" }),
  ];
};

const InstanceInspector = ({
  state,
  actions,
  machine,
  entity,
}: Props & { readonly machine: MachineId; readonly entity: string }): Element => {
  const moment = momentOf(state);
  const move = moment?.move(machine, entity);
  const now = moment?.state(machine, entity);
  return h(
    "div",
    null,
    h("h2", null, `${machine} ${entity}`),
    h(
      "p",
      null,
      now === undefined
        ? move?.data.to === undefined
          ? "It is not there at this moment."
          : badge(move.data.to)
        : badge(now),
      move?.data.why === undefined ? "" : ` ${move.data.why}`,
    ),
    h(
      "div",
      { class: "toolbar" },
      button("Statechart", () => {
        actions.showMachine(machine);
        actions.show("machines");
      }),
      button("Only its events", () => actions.setFilter({ object: entity })),
      machine === "endpoint" &&
        button("Can clients reach it?", () =>
          actions.ask({ peer: splitEndpoint(entity).address, gateway: undefined, position: undefined }),
        ),
    ),
    heading("History"),
    moveList(state, actions, machine, entity),
    heading("Objects"),
    objectsOf(state, actions, machine, entity),
    machine === "gateway" && [heading("Rendered"), ...renderedOf(state, entity)],
  );
};

const BackendInspector = ({ state, actions, id }: Props & { readonly id: string }): Element => {
  const moment = momentOf(state);
  const endpoints = (moment?.endpointsOf(id) ?? []).map(([entity, now]) => ({ entity, state: now }));
  const { kind, name } = splitBackendId(id);
  const object = moment?.view.get(kind, name);
  return h(
    "div",
    null,
    h("h2", null, `backend ${name}`),
    h(
      "p",
      null,
      countStates(endpoints).map(([now, count]) => [`${count} `, badge(now), " "]),
    ),
    endpoints.length === 0 &&
      empty(
        "It has no endpoints at this moment",
        "See whether its selector matches pods, and whether these are ready.",
      ),
    h(
      "ul",
      { class: "instances" },
      endpoints.slice(0, MAX_EFFECTS).map(({ entity, state: now }) =>
        h(
          "li",
          { key: entity },
          button(entity, () => actions.select({ what: "instance", machine: "endpoint", entity })),
          badge(now),
        ),
      ),
    ),
    object !== undefined && [heading("Object"), json(object)],
  );
};

export const InspectorView = ({ state, actions }: Props): Element => {
  const { selection } = state;
  if (selection === undefined)
    return empty(
      "Nothing is selected",
      "Choose something in the picture or an event in the timeline; Escape lets it go again.",
    );
  switch (selection.what) {
    case "line": {
      const line = lineOf(state, selection.seq);
      return line === undefined
        ? empty(
            `Event #${selection.seq} is not in this log`,
            "It may be older than what was loaded, or belong to another log.",
          )
        : h(LineInspector, { state, actions, line });
    }
    case "instance":
      return h(InstanceInspector, { state, actions, machine: selection.machine, entity: selection.entity });
    case "backend":
      return h(BackendInspector, { state, actions, id: selection.id });
    default:
      return selection satisfies never;
  }
};
