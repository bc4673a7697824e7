/** From a STUN message to its answer: reading, authentication, and the file that handles the method. */
import type { IntegrityKey } from "../../stun/integrity.ts";
import { offeredAlgorithms } from "../../stun/password-algorithms.ts";
import { monotonicMs, wallMs } from "../../clock.ts";
import { statusOf } from "../../reasons.ts";
import { authenticate } from "../auth/authenticate.ts";
import type { Allocation } from "../allocation.ts";
import { fiveTuple, type ListenerPath } from "../listeners/listener.ts";
import { attribute } from "../../stun/attributes.ts";
import { method, type Attribute, type Message } from "../../stun/message.ts";
import { decode } from "../../stun/reader.ts";
import { encode } from "../../stun/writer.ts";
import { allocate } from "./allocate.ts";
import { binding, unknownInBinding } from "./binding.ts";
import { channelBind } from "./channel-bind.ts";
import { createPermission } from "./create-permission.ts";
import { connect } from "./connect.ts";
import { connectionBind } from "./connection-bind.ts";
import {
  failure,
  notUnderstood,
  type AllocationExchange,
  type Answer,
  type Exchange,
  type RequestContext,
} from "./exchange.ts";
import { handOver } from "./hand-over.ts";
import { isMove, move, movedAllocation } from "./move.ts";
import { refresh } from "./refresh.ts";

type Handler = (exchange: AllocationExchange) => Answer | Promise<Answer>;

const inAllocation: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [method.refresh, refresh],
  [method.createPermission, createPermission],
  [method.channelBind, channelBind],
  [method.connect, connect],
]);

/** Unauthorized and stale nonce: the answer has a realm and a nonce. */
const isChallenge: ReadonlySet<number> = new Set([401, 438]);

const withoutAllocation: ReadonlySet<number> = new Set([method.allocate, method.connectionBind]);

/** Answers `message`; with a key, the answer is signed as the request was. */
const respond = (
  context: RequestContext,
  message: Message,
  path: ListenerPath,
  answer: Answer,
  key?: IntegrityKey,
): void => {
  if (answer.kind === "silence") return;
  if (answer.kind === "error") context.refusedRequest(path, answer.code);
  const attributes: readonly Attribute[] =
    answer.kind === "success"
      ? answer.attributes
      : [{ type: attribute.errorCode, code: statusOf(answer.code) }, ...(answer.attributes ?? [])];
  const bytes = encode({
    method: message.method,
    class: answer.kind,
    transactionId: message.transactionId,
    attributes,
    key,
    fingerprint: message.hasFingerprint,
  });
  if (key === undefined) context.reply(path, message.bytes, bytes);
  else context.send(path, bytes);
  if (answer.kind === "success") answer.afterwards?.();
};

const answerAllocate = (
  exchange: Exchange,
  allocation: Allocation | undefined,
  answer: (outcome: Answer) => void,
): void => {
  const { message, path, context } = exchange;
  if (allocation !== undefined) {
    const { made } = allocation;
    if (made !== undefined && message.transactionId.equals(made.transactionId))
      answer({ kind: "success", attributes: made.response });
    else answer(failure("437 allocation-exists"));
    return;
  }
  // A retransmission of an Allocate that is being answered: the answer will be sent.
  if (context.relay.allocations.isClaimed(fiveTuple(path))) return;
  answerLater(context, allocate(exchange), answer);
};

const answerLater = (context: RequestContext, outcome: Promise<Answer>, answer: (outcome: Answer) => void): void => {
  const report = (error: unknown): void =>
    context.relay.log.error({ err: error, listener: context.name }, "a request failed");
  outcome
    .catch((error: unknown) => {
      report(error);
      return failure("500 internal");
    })
    .then(answer)
    .catch(report);
};

const answerAuthenticated = (exchange: Exchange, allocation: Allocation | undefined, key: IntegrityKey): void => {
  const { message, path, context, who, now } = exchange;
  if (!context.gateway.users.mayAsk(who.account, now)) return context.dropped("user-requests");
  const answer = (outcome: Answer): void => respond(context, message, path, outcome, key);
  const handle = inAllocation.get(message.method);
  if (message.unknown.length > 0) answer(notUnderstood(message.unknown));
  else if (message.method === method.connectionBind) answer(connectionBind(exchange));
  else if (isMove(message)) answer(move(exchange, allocation));
  else if (handle === undefined) answerAllocate(exchange, allocation, answer);
  else if (allocation === undefined) answer(failure("437 no-allocation"));
  else if (allocation.owner.userId !== who.userId) answer(failure("441 other-user"));
  else {
    context.relay.allocations.used(allocation, path);
    const outcome = handle({ ...exchange, allocation });
    if (outcome instanceof Promise) answerLater(context, outcome, answer);
    else answer(outcome);
  }
  return undefined;
};

const receiveMessage = (context: RequestContext, message: Message, path: ListenerPath): void => {
  // Indications and answers are never answered, RFC 8489 §6.3. A Binding indication keeps a path alive and needs no action.
  if (message.class !== "request") {
    if (message.class !== "indication" || message.method !== method.binding) context.dropped("not-a-request");
    return;
  }
  if (message.method === method.binding) {
    const unknown = unknownInBinding(message, path);
    if (unknown.length > 0) return respond(context, message, path, notUnderstood(unknown));
    const { bytes, by } = binding(message, path);
    return context.reply(by, message.bytes, bytes);
  }
  if (!withoutAllocation.has(message.method) && !inAllocation.has(message.method)) {
    context.relay.dropped.add("method");
    return;
  }
  const { relay, gateway } = context;
  const tuple = fiveTuple(path);
  const allocation = relay.allocations.get(tuple);
  // A client connection has no allocation; its owner is that of the peer connection.
  const binds = message.method === method.connectionBind;
  if (binds && allocation === undefined && handOver(context, message, path)) return;
  const moved = isMove(message) ? movedAllocation(message, context) : undefined;
  const { owner } =
    moved ?? allocation ?? (binds ? gateway.connections.get(message.connectionId)?.allocation : {}) ?? {};
  const now = monotonicMs();
  const client = path.client.address;
  const outcome = authenticate(message, {
    policy: gateway.auth,
    isBlocked: (userId) => gateway.isBlocked(userId),
    nonces: relay.nonces,
    client,
    path: tuple,
    owner,
    now,
    wallNow: wallMs(),
  });
  if (outcome.ok) {
    if (path.protocol === "udp") relay.unproven.prove(client, now);
    answerAuthenticated({ message, path, context, who: outcome.who, now }, allocation, outcome.key);
    return;
  }
  const { code } = outcome;
  const challenge: readonly Attribute[] = [
    { type: attribute.nonce, value: relay.nonces.issue(client, now) },
    { type: attribute.realm, value: owner?.realm ?? gateway.auth.realm },
    ...(relay.nonces.offersAlgorithms ? [{ type: attribute.passwordAlgorithms, raw: offeredAlgorithms }] : []),
  ];
  const attributes = isChallenge.has(statusOf(code)) ? challenge : [];
  respond(context, message, path, { kind: "error", code, attributes });
};

/** Handles one message of a client. */
export const receive = (context: RequestContext, bytes: Buffer, path: ListenerPath): void => {
  const decoded = decode(bytes);
  switch (decoded.kind) {
    case "drop":
      context.relay.dropped.add(decoded.code);
      return;
    case "reject": {
      const { method: asked, transactionId, code } = decoded;
      context.refusedRequest(path, code);
      const attributes = [{ type: attribute.errorCode, code: statusOf(code) }];
      context.reply(path, bytes, encode({ method: asked, class: "error", transactionId, attributes }));
      return;
    }
    case "message":
      receiveMessage(context, decoded, path);
      return;
    default:
      decoded satisfies never;
  }
};
