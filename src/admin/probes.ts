/**
 * Health and metrics at separate addresses: the operator's `/healthz` and `/readyz`, a dataplane's `/live` and `/ready`.
 */
import { answer, answerJson, answerMetrics, pathOf, type Handler, type Scrape } from "../http.ts";

/** @param ready why it is not ready; undefined if it is. */
export const probeListener =
  (ready: () => string | undefined): Handler =>
  ({ url }, response) => {
    const path = pathOf(url);
    const reason = path === "/readyz" ? ready() : path === "/healthz" ? undefined : "there are /healthz and /readyz";
    answer(response, reason === undefined ? 200 : path === "/readyz" ? 503 : 404, `${reason ?? "ok"}\n`);
  };

/** @param at the path that is answered; every path if it is empty. */
export const metricsListener =
  (metrics: Scrape, at = ""): Handler =>
  ({ url }, response) => {
    if (at === "" || pathOf(url) === at) return answerMetrics(response, metrics);
    return answer(response, 404, `there is ${at}\n`);
  };

/** The probes of a dataplane's pod, with the texts of STUNner's answers. */
export const dataplaneListener =
  (isReady: () => boolean, status: () => Promise<unknown>): Handler =>
  ({ url }, response) => {
    switch (pathOf(url)) {
      case "/live":
        return answerJson(response, {});
      case "/ready":
        return isReady()
          ? answerJson(response, { status: 200, message: "READY" })
          : answerJson(response, { status: 503, message: "stunnerd not ready" }, 503);
      case "/status":
        return status().then((value) => answerJson(response, value));
      default:
        return answer(response, 404, "there are /live, /ready and /status\n");
    }
  };
