/** `POST /api/v1/users`: blocks a user, releases one, or ends calls. Only with a token: it ends other people's calls. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { answer, answerJson } from "../http.ts";
import type { Name } from "../resources/keys.ts";
import { readUserRules, type UserAction, type UserOrder } from "../resources/users.ts";

/** @param gateway may be left out if there is one alone. @returns the Gateway. @throws RangeError with what is wrong. */
export type GiveOrder = (gateway: string | undefined, order: UserOrder) => Name;

const MAX_BODY_BYTES = 8192;
const ACTIONS: readonly UserAction[] = ["block", "unblock", "kick"];

/** @throws RangeError if it is longer than it may be. */
const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError(`the body is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
};

interface Asked {
  readonly gateway?: unknown;
  readonly action?: unknown;
}

/** @throws RangeError with what is wrong. */
const orderOf = (text: string): { readonly gateway: string | undefined; readonly order: UserOrder } => {
  let asked: Asked;
  try {
    asked = JSON.parse(text) as Asked;
  } catch {
    throw new RangeError("the body is not JSON");
  }
  const rules = readUserRules({ kicked: [asked] });
  if (typeof rules === "string") throw new RangeError(rules.replace(/^kicked\[0\]/, "the order"));
  const [kick] = rules.kicked ?? [];
  const action = ACTIONS.find((one) => one === asked.action);
  if (kick === undefined || action === undefined) throw new RangeError(`action: expected ${ACTIONS.join(", ")}`);
  const { gateway } = asked;
  if (gateway !== undefined && typeof gateway !== "string") throw new RangeError("gateway: expected NAMESPACE/NAME");
  return { gateway, order: { ...kick, action } };
};

/** @param give absent if nothing runs here, or no token protects the API. */
export const takeOrder = async (
  request: IncomingMessage,
  response: ServerResponse,
  give: GiveOrder | undefined,
): Promise<void> => {
  if (give === undefined)
    return answer(
      response,
      403,
      "orders are off here: they need a token (--admin-token-file), and in a cluster the Gateway takes them\n",
    );
  try {
    const { gateway, order } = orderOf(await bodyOf(request));
    return answerJson(response, { gateway: give(gateway, order) });
  } catch (error) {
    if (error instanceof RangeError) return answer(response, 400, `${error.message}\n`);
    throw error;
  }
};
