/**
 * Try Alternate (RFC 8489 §10): a draining relay sends new clients to another server. ALTERNATE-DOMAIN is not needed: the
 * servers of a gateway have the same certificates.
 */
import { familyOf, type TransportAddress } from "../../net/address.ts";
import type { Family } from "../../net/ip.ts";
import { addressValue, attribute } from "../../stun/attributes.ts";
import type { Answer, Exchange, RequestContext } from "./exchange.ts";

/** The addresses of one server, at most one of each family, that of the client first; none if the client cannot reach it. */
const ordered = (addresses: readonly TransportAddress[], family: Family): readonly TransportAddress[] => {
  const first = addresses.find(({ address }) => familyOf(address) === family);
  const other = addresses.find(({ address }) => familyOf(address) !== family);
  return first === undefined ? [] : [first, ...(other === undefined ? [] : [other])];
};

/** Each server with its addresses. Those that were named by hand take precedence over those of the config. */
const serversFor = (context: RequestContext, family: Family): readonly (readonly TransportAddress[])[] => {
  const { alternateServers = [], own, advertise = [] } = context.relay.options;
  const named = ordered(alternateServers, family);
  if (named.length > 0) return [named];
  const { address: relayed, port } = context.config;
  const itself: ReadonlySet<string> = new Set([...own, ...advertise, relayed]);
  return context.gateway.config.alternates
    .filter(({ addresses }) => !addresses.some((address) => itself.has(address)))
    .map(({ addresses }) =>
      ordered(
        addresses.map((address) => ({ address, port })),
        family,
      ),
    )
    .filter((addresses) => addresses.length > 0);
};

/** Undefined if the relay does not drain, or knows no server of the client's family. */
export const tryAlternate = ({ message, path, context, who }: Exchange): Answer | undefined => {
  const { relay } = context;
  // Only this server holds the port of a token: it belongs to a call that is open.
  if (!relay.isDraining || message.reservationToken !== undefined) return undefined;
  const servers = serversFor(context, familyOf(path.client.address));
  const server = servers[relay.redirections % servers.length];
  const [first] = server ?? [];
  if (server === undefined || first === undefined) return undefined;
  relay.redirections++;
  context.redirected(path, who, first);
  const attributes = server.flatMap((address) => {
    const raw = addressValue(address);
    return raw === undefined ? [] : [{ type: attribute.alternateServer, raw }];
  });
  return { kind: "error", code: "300 try-alternate", attributes };
};
