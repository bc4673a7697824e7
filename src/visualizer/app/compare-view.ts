/** Two moments, and their differences. */
import type { Actions } from "./actions.ts";
import { differenceOf, type Difference } from "./difference.ts";
import { h, type Element } from "./element.ts";
import { badge, button, empty, heading, seqLink, timeText } from "./pieces.ts";
import { momentOf, type State } from "./state.ts";

const MAX_LISTED = 200;

const more = (count: number): Element | false =>
  count > MAX_LISTED && h("li", { key: "more" }, `… and ${count - MAX_LISTED} more`);

const instances = (actions: Actions, { instances: all }: Difference): Element =>
  h(
    "ul",
    { class: "instances", "aria-label": "Machines that differ" },
    all.slice(0, MAX_LISTED).map(({ machine, entity, before, after }) =>
      h(
        "li",
        { key: `${machine} ${entity}` },
        button(`${machine} ${entity}`, () => actions.select({ what: "instance", machine, entity })),
        before === undefined ? "not there" : badge(before),
        " → ",
        after === undefined ? "not there" : badge(after),
      ),
    ),
    more(all.length),
  );

export const CompareView = ({ state, actions }: { readonly state: State; readonly actions: Actions }): Element => {
  const { history, compareWith } = state;
  const now = momentOf(state);
  const other = compareWith === undefined ? undefined : history.moment(compareWith);
  if (compareWith === undefined)
    return empty(
      "There is one moment only",
      "Move to the first, press “Compare from here” in the timeline, and move to the second.",
    );
  if (now === undefined || other === undefined)
    return empty("Nothing is known at one of the moments", "The log holds no start of the program before it.");
  const [before, after] = other.position <= now.position ? [other, now] : [now, other];
  const difference = differenceOf(before, after);
  const { instances: machines, objects, outputs } = difference;
  const refused = after.refusals().length - before.refusals().length;
  return h(
    "div",
    { class: "compare" },
    h(
      "p",
      null,
      "From ",
      seqLink(before.seq, actions.goToSeq),
      ` ${timeText(before.time)} to `,
      seqLink(after.seq, actions.goToSeq),
      ` ${timeText(after.time)}: ${(after.position - before.position).toLocaleString("en")} events`,
      refused > 0 ? `, ${refused} peers refused` : "",
    ),
    button("Save these events as a test fixture", actions.saveSlice, { title: "A log that replays by itself" }),
    machines.length + objects.length + outputs.length === 0 &&
      empty("Nothing is different", "What happened in between was undone, or touched only calls."),
    machines.length > 0 && [heading(`${machines.length} machines`), instances(actions, difference)],
    outputs.length > 0 && [
      heading(`${outputs.length} configs, objects and statuses`),
      h(
        "ul",
        { "aria-label": "Outputs that differ" },
        outputs
          .slice(0, MAX_LISTED)
          .map(({ output, parts }) =>
            h("li", { key: output }, output, parts.length === 0 ? "" : `: ${parts.join(", ")}`),
          ),
        more(outputs.length),
      ),
    ],
    objects.length > 0 && [
      heading(`${objects.length} objects`),
      h(
        "ul",
        { "aria-label": "Objects that differ" },
        objects.slice(0, MAX_LISTED).map(({ key, change }) => {
          const seen = after.seenAt(key);
          return h("li", { key }, `${key} ${change} `, seen === undefined ? "" : seqLink(seen, actions.goToSeq));
        }),
        more(objects.length),
      ),
    ],
  );
};
