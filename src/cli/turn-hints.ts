/** The most likely meaning of a TURN server's error code for the user of the command. */
import { messageOf } from "../errors.ts";
import { TurnResponseError } from "../turn-client/turn-client.ts";

type Hints = Readonly<Record<number, string>>;

export const hints: Hints = {
  401: "the user name or password is not the gateway's (--user, --password, --secret)",
  403: "no route of this listener names that peer; 'turnpike status' shows what may be reached",
  437: "there is an allocation from this address already",
  486: "the user's quota is used up",
  508: "the relay is at its limits",
};

/** An allocation names no peer yet. */
export const allocateHints: Hints = { ...hints, 403: "the listener is a STUN server alone: it relays nothing" };

/** The message of `error`; for an error response of the server also the meaning of its code. */
export const withHint = (error: unknown, known: Hints): string => {
  const hint = error instanceof TurnResponseError ? known[error.code] : undefined;
  return `${messageOf(error)}${hint === undefined ? "" : `; ${hint}`}`;
};
