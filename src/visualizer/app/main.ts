/** The page: one state, drawn completely; preact updates what differs. */
import { render } from "preact";
import { createActions, type Actions } from "./actions.ts";
import { AllocationsView } from "./allocations-view.ts";
import { CompareView } from "./compare-view.ts";
import { h, type Element } from "./element.ts";
import { EventsView } from "./events-view.ts";
import { ExplainView } from "./explain-view.ts";
import { InspectorView } from "./inspector-view.ts";
import { MachinesView } from "./machines-view.ts";
import { pictureOf } from "./picture.ts";
import { badge, button, empty } from "./pieces.ts";
import { takeToken } from "./source.ts";
import { createStore, momentOf, views, type State, type View } from "./state.ts";
import { TimelineView } from "./timeline-view.ts";
import { TopologyView } from "./topology-view.ts";

const NAMES: Readonly<Record<View, string>> = {
  topology: "Topology",
  machines: "Statecharts",
  allocations: "Allocations",
  compare: "Compare",
};

const THEMES = ["auto", "light", "dark"] as const;

const sourceText = ({ source }: State): string => {
  const percent = `${Math.round(source.share * 100)} %`;
  if (source.from !== "live")
    return source.status === "loading" ? `reading ${source.name}, ${percent}` : `file ${source.name}`;
  return source.status === "following"
    ? "live"
    : source.status === "loading"
      ? `reading the log, ${percent}`
      : "connection lost";
};

const savePicture = (actions: Actions, view: View): void => {
  const svg = pictureOf(view === "machines" ? "chart" : "topology");
  if (svg !== undefined) actions.saveText(`turnpike-${view}.svg`, "image/svg+xml", svg);
};

const Header = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  const moment = momentOf(state);
  const operator = moment?.state("operator", "operator") ?? "stopped";
  return h(
    "header",
    null,
    h("h1", null, "Turnpike"),
    h("span", { class: "mode" }, moment?.options.mode ?? ""),
    moment !== undefined && badge(operator),
    h("span", { class: "source", role: "status" }, sourceText(state)),
    h(
      "label",
      { class: "file" },
      "Open a log ",
      h("input", {
        type: "file",
        accept: ".jsonl,.ndjson,.json",
        onChange: (event: Event) => {
          const [file] = (event.target as HTMLInputElement).files ?? [];
          if (file !== undefined) actions.openFile(file);
        },
      }),
    ),
    state.source.from !== "live" && button("Back to live", actions.openLive),
    h(
      "div",
      { class: "toolbar", role: "group", "aria-label": "Export" },
      button("Save log", actions.saveLog, { disabled: state.length === 0 }),
      button("Save slice", actions.saveSlice, {
        disabled: state.length === 0,
        title: "The events up to this moment, or between the two compared, as a test fixture that replays by itself",
      }),
      button("Save picture", () => savePicture(actions, state.view), {
        disabled: state.view !== "topology" && state.view !== "machines",
      }),
    ),
    h(
      "label",
      null,
      "Theme ",
      h(
        "select",
        {
          value: state.theme,
          onChange: (event: Event) => actions.setTheme((event.target as HTMLSelectElement).value as State["theme"]),
        },
        THEMES.map((theme) => h("option", { key: theme, value: theme }, theme)),
      ),
    ),
  );
};

const Tabs = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element =>
  h(
    "nav",
    { "aria-label": "Views" },
    h(
      "div",
      { role: "tablist", "aria-label": "Views" },
      views.map((view) =>
        h(
          "button",
          {
            key: view,
            type: "button",
            role: "tab",
            id: `tab-${view}`,
            "aria-selected": view === state.view,
            "aria-controls": "view",
            onClick: () => actions.show(view),
          },
          NAMES[view],
        ),
      ),
    ),
  );

const TokenForm = ({ actions }: { readonly actions: Actions }): Element =>
  h(
    "form",
    {
      onSubmit: (event: SubmitEvent) => {
        event.preventDefault();
        actions.giveToken(((event.target as HTMLFormElement).elements.namedItem("token") as HTMLInputElement).value);
      },
    },
    h("label", null, "Token ", h("input", { name: "token", type: "password", required: true, autocomplete: "off" })),
    h("button", { type: "submit" }, "Go on"),
  );

const Main = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  if (state.length === 0)
    return state.trouble === undefined && state.source.status !== "loading"
      ? empty("The log is empty", "Nothing has happened yet, or the file holds no events.")
      : empty(state.trouble === undefined ? "Reading the log …" : "No log to show", "Or open one from a file, above.");
  switch (state.view) {
    case "topology":
      return h(TopologyView, { state, actions });
    case "machines":
      return h(MachinesView, { state, actions });
    case "allocations":
      return h(AllocationsView, { state, actions });
    case "compare":
      return h(CompareView, { state, actions });
    default:
      return state.view satisfies never;
  }
};

const Page = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  const { trouble, question } = state;
  return h(
    "div",
    { class: "page" },
    h(Header, { state, actions }),
    trouble !== undefined &&
      h(
        "div",
        { class: "trouble", role: "alert" },
        h("strong", null, trouble.message),
        ` ${trouble.todo}`,
        trouble.asksToken && h(TokenForm, { actions }),
      ),
    h(Tabs, { state, actions }),
    h(
      "main",
      null,
      h("div", { id: "view", role: "tabpanel", "aria-labelledby": `tab-${state.view}` }, h(Main, { state, actions })),
    ),
    h(
      "aside",
      { "aria-label": "Inspector" },
      question === undefined ? h(InspectorView, { state, actions }) : h(ExplainView, { state, actions, question }),
    ),
    h("footer", null, h(TimelineView, { state, actions }), h(EventsView, { state, actions })),
  );
};

const root = document.getElementById("app");
if (root === null) throw new Error("the page has no place for the app");
takeToken();

let actions: Actions | undefined;
const store = createStore((state) => {
  if (actions !== undefined) render(h(Page, { state, actions }), root);
});
actions = createActions(store);
const remembered = THEMES.find((theme) => theme === localStorage.getItem("turnpike-theme"));
actions.setTheme(remembered ?? "auto");

/** Keys, except while text is being entered. */
addEventListener("keydown", (event) => {
  const { target } = event;
  if (target instanceof HTMLInputElement && target.type !== "range" && target.type !== "file") return;
  if (target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return;
  switch (event.key) {
    case ",":
      return actions.step(-1);
    case ".":
      return actions.step(1);
    case "p":
      return actions.play(!store.get().playing);
    case "n":
      return actions.goTo(undefined);
    case "Escape":
      return actions.select(undefined);
    default: {
      const view = views[Number(event.key) - 1];
      if (view !== undefined) actions.show(view);
      return undefined;
    }
  }
});
