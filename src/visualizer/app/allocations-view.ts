/** Clients of the relay: a table of allocations, and the peers that were denied. */
import type { AllocationState } from "../../dataplane/relay.ts";
import type { Name } from "../../resources/keys.ts";
import type { Actions } from "./actions.ts";
import { h, type Element } from "./element.ts";
import { badge, bytesText, button, durationText, empty, heading, seqLink, timeText } from "./pieces.ts";
import { allocationKey, rateText } from "./rates.ts";
import { clockOf, isNow, momentOf, type State } from "./state.ts";

interface Props {
  readonly state: State;
  readonly actions: Actions;
}

const MAX_REFUSALS = 100;
const MAX_PEERS = 4;

const sparkline = (rates: readonly number[]): Element => {
  const most = Math.max(1, ...rates);
  const points = rates.map((rate, at) => `${(at / Math.max(1, rates.length - 1)) * 80},${18 - (rate / most) * 16}`);
  const now = rates.at(-1) ?? 0;
  return h(
    "span",
    { class: "spark" },
    h(
      "svg",
      {
        width: 80,
        height: 20,
        viewBox: "0 0 80 20",
        role: "img",
        "aria-label": `${rateText(now)}, at most ${rateText(most)} lately`,
      },
      h("polyline", { points: points.join(" ") }),
    ),
    rateText(now),
  );
};

const table = (name: string, columns: readonly string[], rows: readonly Element[]): Element =>
  h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { "aria-label": name },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map((column) => h("th", { key: column, scope: "col" }, column)),
        ),
      ),
      h("tbody", null, rows),
    ),
  );

const peerButtons = (actions: Actions, gateway: Name, peers: readonly string[]): readonly (Element | string)[] => [
  ...peers
    .slice(0, MAX_PEERS)
    .map((peer) =>
      button(peer, () => actions.ask({ peer, gateway, position: undefined }), { title: `Why may ${peer} be reached?` }),
    ),
  ...(peers.length > MAX_PEERS ? [` +${peers.length - MAX_PEERS}`] : []),
];

/** How often the client moved it to another address, RFC 8016. */
const movesText = ({ moves }: AllocationState): string => (moves === 0 ? "" : `, moved ${moves}×`);

/** How many of its channels the kernel forwards; empty if offload is off. */
const kernelText = ({ channels }: AllocationState): string => {
  const known = channels.filter(({ way }) => way !== undefined);
  if (known.length === 0) return "";
  return `${known.filter(({ way }) => way === "kernel").length} of ${known.length}`;
};

/** Why user space forwards the other channels. */
const kernelTitle = ({ channels }: AllocationState): string =>
  channels
    .flatMap(({ peer, because }) => (because === undefined ? [] : [`${peer}: user space, ${because}`]))
    .join("\n");

const LiveTable = ({ state, actions }: Props): Element => {
  const { traffic, rates } = state;
  if (traffic === undefined) return empty("No counters yet", "They come every two seconds, where a relay runs.");
  const { total, matching, shown } = traffic.allocations;
  const isOffloaded = shown.some((one) => kernelText(one) !== "");
  const count =
    shown.length === total
      ? `${total} allocations`
      : `the latest ${shown.length} of ${matching.toLocaleString("en")} that match, ${total.toLocaleString("en")} in all`;
  return h(
    "div",
    null,
    h(
      "div",
      { class: "toolbar" },
      h(
        "label",
        null,
        "Find ",
        h("input", {
          type: "search",
          value: state.match,
          placeholder: "user, client, relayed address, peer",
          size: 28,
          onInput: (event: Event) => actions.setMatch((event.target as HTMLInputElement).value),
        }),
      ),
      h("output", null, count),
    ),
    shown.length === 0
      ? empty(
          total === 0 ? "Nobody has an allocation" : "None matches",
          total === 0 ? "Clients make one when they call; try `turnpike probe`." : "Change what is looked for.",
        )
      : table(
          "Allocations",
          [
            "User",
            "Client",
            "Relayed",
            "Peers",
            "Rate",
            "Age",
            "In",
            "Out",
            ...(isOffloaded ? ["Kernel"] : []),
            "Listener",
          ],
          shown.map((one) =>
            h(
              "tr",
              { key: allocationKey(one) },
              h("td", null, one.user),
              h("td", null, `${one.client} ${one.protocol}${movesText(one)}`),
              h("td", null, one.relayed),
              h(
                "td",
                null,
                peerButtons(
                  actions,
                  one.gateway as Name,
                  one.permissions.map(({ peer }) => peer),
                ),
              ),
              h("td", null, sparkline(rates.get(allocationKey(one)) ?? [])),
              h("td", null, durationText(state.now - one.openedAt)),
              h("td", null, bytesText(one.bytesIn)),
              h("td", null, bytesText(one.bytesOut)),
              isOffloaded && h("td", { title: kernelTitle(one) }, kernelText(one)),
              h("td", null, one.listener),
            ),
          ),
        ),
  );
};

const PastTable = ({ state, actions }: Props): Element => {
  const open = momentOf(state)?.allocations() ?? [];
  if (open.length === 0) return empty("Nobody had an allocation at this moment", "Move on in the timeline.");
  return h(
    "div",
    null,
    h(
      "p",
      { class: "note" },
      `${open.length.toLocaleString("en")} were open at this moment. What went through them stands in the log when they close.`,
    ),
    table(
      "Allocations",
      ["Opened by", "User", "Client", "Relayed", "Age", "Listener"],
      open
        .slice(-MAX_REFUSALS)
        .toReversed()
        .map((line) =>
          h(
            "tr",
            { key: line.seq },
            h("td", null, seqLink(line.seq, actions.goToSeq)),
            h("td", null, line.data.user),
            h("td", null, line.data.client),
            h("td", null, line.data.relayed),
            h("td", null, durationText(clockOf(state) - line.time)),
            h("td", null, line.data.listener),
          ),
        ),
    ),
  );
};

const Refusals = ({ state, actions }: Props): Element => {
  const refusals = (momentOf(state)?.refusals() ?? []).slice(-MAX_REFUSALS).toReversed();
  if (refusals.length === 0) return h("p", { class: "note" }, "No peer was refused up to this moment.");
  return table(
    "Refused peers",
    ["Event", "Time", "User", "Client", "Peer", "Code", "Reason"],
    refusals.map((line) =>
      h(
        "tr",
        { key: line.seq },
        h("td", null, seqLink(line.seq, actions.goToSeq)),
        h("td", null, timeText(line.time).slice(11)),
        h("td", null, line.data.user),
        h("td", null, line.data.client),
        h(
          "td",
          null,
          button(
            line.data.peer,
            () =>
              actions.ask({
                peer: line.data.peer,
                gateway: line.data.gateway,
                position: state.history.positionOf(line.seq),
              }),
            { title: "Why was it refused?" },
          ),
        ),
        h("td", null, badge(line.data.code ?? "unknown")),
        h("td", null, `${line.data.reason}${line.data.suppressed > 0 ? ` (and ${line.data.suppressed} more)` : ""}`),
      ),
    ),
  );
};

const AskForm = ({ state, actions }: Props): Element => {
  const gateways = momentOf(state)?.entities("gateway") ?? [];
  return h(
    "form",
    {
      class: "toolbar",
      onSubmit: (event: SubmitEvent) => {
        event.preventDefault();
        const { elements } = event.target as HTMLFormElement;
        const peer = (elements.namedItem("peer") as HTMLInputElement).value;
        const gateway = (elements.namedItem("gateway") as HTMLSelectElement).value;
        actions.ask({ peer, gateway: gateway === "" ? undefined : (gateway as Name), position: undefined });
      },
    },
    h(
      "label",
      null,
      "Can clients reach ",
      h("input", { name: "peer", required: true, size: 20, placeholder: "10.1.0.7:5000" }),
    ),
    h(
      "label",
      null,
      " by ",
      h(
        "select",
        { name: "gateway" },
        h("option", { value: "" }, "any gateway"),
        gateways.map(([name]) => h("option", { key: name, value: name }, name)),
      ),
    ),
    h("button", { type: "submit" }, "Explain"),
  );
};

export const AllocationsView = ({ state, actions }: Props): Element =>
  h(
    "div",
    { class: "allocations" },
    h(AskForm, { state, actions }),
    heading("Allocations"),
    isNow(state) ? h(LiveTable, { state, actions }) : h(PastTable, { state, actions }),
    heading("Refused peers"),
    h(Refusals, { state, actions }),
  );
