/** What a PromQL expression names, by Prometheus' own grammar. */
import { parser } from "@prometheus-io/lezer-promql";

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Labels that series are grouped or matched by. */
  readonly groupedBy: readonly string[];
}

/** Grafana's variables stand for what Prometheus would read. */
const withoutVariables = (expression: string): string =>
  expression.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, "x");

/** @throws Error where it is no PromQL. */
export const readExpression = (expression: string): Expression => {
  const text = withoutVariables(expression);
  const selectors: { metric: string; matchers: { label: string; operator: string; value: string }[] }[] = [];
  const groupedBy: string[] = [];
  let isGrouping = false;
  parser.parse(text).iterate({
    enter({ name, type, from, to }) {
      const own = text.slice(from, to);
      if (type.isError) throw new Error(`no PromQL at ${from}: ${text}`);
      if (name === "VectorSelector") selectors.push({ metric: "", matchers: [] });
      else if (name === "GroupingLabels") isGrouping = true;
      const selector = selectors.at(-1);
      if (name === "LabelName" && isGrouping) groupedBy.push(own);
      else if (name === "Identifier" && selector?.metric === "") selector.metric = own;
      else if (name === "LabelName") selector?.matchers.push({ label: own, operator: "", value: "" });
      else if (name === "MatchOp") Object.assign(selector?.matchers.at(-1) ?? {}, { operator: own });
      else if (name === "StringLiteral" && selector?.matchers.at(-1)?.value === "")
        Object.assign(selector.matchers.at(-1) ?? {}, { value: own.slice(1, -1) });
    },
    leave({ name }) {
      if (name === "GroupingLabels") isGrouping = false;
    },
  });
  return { selectors, groupedBy };
};
