/** Why a peer is reachable or not, as in `turnpike explain`. */
import { parsePeer, type PeerAddress } from "../../net/peer.ts";
import { pastAt } from "../../explain/past.ts";
import { explainPeer } from "../../explain/peer.ts";
import type { Step } from "../../explain/step.ts";
import type { Actions } from "./actions.ts";
import { h, type Element } from "./element.ts";
import { badge, empty, heading, seqLink, timeText } from "./pieces.ts";
import { positionOf, type Question, type State } from "./state.ts";

/** The user's input, or an endpoint; of a prefix the address. */
const peerOf = (text: string): PeerAddress | undefined => parsePeer(text.trim().replace(/\/\d+$/, ""));

const stepItem = (actions: Actions, { about, says, code, events, steps }: Step): Element =>
  h(
    "li",
    { key: `${about} ${code}`, class: `step code-${code}` },
    h("strong", null, about),
    ` ${says} `,
    events.map((seq) => seqLink(seq, actions.goToSeq)),
    steps.length > 0 &&
      h(
        "ul",
        null,
        steps.map((step) => stepItem(actions, step)),
      ),
  );

export const ExplainView = ({
  state,
  actions,
  question,
}: {
  readonly state: State;
  readonly actions: Actions;
  readonly question: Question;
}): Element => {
  const asked = peerOf(question.peer);
  if (asked === undefined)
    return empty(`${question.peer} is no address`, "Ask for ADDRESS or ADDRESS:PORT, 10.1.0.7:5000 or [fd00::7]:5000.");
  const past = pastAt(state.history, question.position ?? positionOf(state));
  if (past === undefined)
    return empty("Nothing is known at this moment", "The log holds no start of the program before it.");
  const { gateway } = question;
  const { reachable, because, steps } = explainPeer(past, { ...asked, ...(gateway !== undefined && { gateway }) });
  return h(
    "div",
    { class: "explanation", role: "region", "aria-label": "Explanation" },
    h("h2", null, `${question.peer} is ${reachable ? "" : "not "}reachable`),
    h("p", null, badge(because.code), ` as of event #${past.seq}, ${timeText(past.time)} UTC`),
    h("p", { class: "says" }, h("strong", null, because.about), `: ${because.says}`),
    because.todo !== undefined && h("p", { class: "todo" }, h("strong", null, "What to do: "), because.todo),
    because.events.length > 0 && [
      heading("It follows from"),
      h(
        "ol",
        { class: "chain" },
        because.events
          .flatMap((seq) => past.chain(seq).slice(-1))
          .map(({ seq, says }) => h("li", { key: seq }, seqLink(seq, actions.goToSeq), ` ${says}`)),
      ),
    ],
    heading("The whole way"),
    h(
      "ul",
      { class: "steps" },
      steps.map((step) => stepItem(actions, step)),
    ),
  );
};
