/**
 * Why the relay refuses or drops: each code, what it means and what to do about it. Log lines, metric labels, the API,
 * `turnpike explain` and `docs/reference/reasons.md` all read this one table.
 */
interface Reason {
  readonly what: string;
  readonly todo: string;
}

const ordinary = "nothing, unless there are many: a client or a scanner sends it";
const clientIsWrong = "nothing here: the client's request is wrong";

/** Why a client may not exchange packets with a peer. */
export const denials = {
  "own-address": {
    what: "the peer is on the relay's own machine: on loopback, over TCP, or at a port of one of the relay's listeners",
    todo: "where it is meant, name the address itself in a StaticService; a wider prefix does not admit it",
  },
  "special-address": {
    what: "the peer is loopback, link-local, cloud metadata, multicast or the like",
    todo: "where it is meant, name the address itself in a StaticService; a wider prefix does not admit it",
  },
  port: {
    what: "a routed cluster has the peer, but not this port",
    todo: "send to a port of the range, or widen port and endPort of the backendRef",
  },
  revoked: {
    what: "the peer was an endpoint, and is none any more",
    todo: "nothing, if the pod was meant to go; clients have to be told of the pods that there are now",
  },
  protocol: {
    what: "the cluster that has the peer is for the other protocol: UDP or TCP",
    todo: "the route must be of the protocol that peers are reached by",
  },
  "no-cluster": {
    what: "no cluster that the listener routes has the peer",
    todo: "see whether the route is attached, and its Service has the address: `turnpike explain ADDRESS`",
  },
} as const satisfies Record<string, Reason>;
export type DenialCode = keyof typeof denials;
export const denialCodes = Object.keys(denials) as readonly DenialCode[];

/** Requests that are answered with an error, by its number and why. */
const requests = {
  "300 try-alternate": {
    what: "the relay drains, and sends new clients elsewhere",
    todo: "nothing: clients go to --alternate-server",
  },
  "400 additional-family": {
    what: "ADDITIONAL-ADDRESS-FAMILY other than IPv6, or beside what excludes it",
    todo: clientIsWrong,
  },
  "400 address-family": { what: "an address in the request is of no known family", todo: clientIsWrong },
  "400 attribute-length": { what: "an attribute of the request has a wrong length", todo: clientIsWrong },
  "400 channel-conflict": { what: "the channel is bound to another peer, or the peer to another", todo: clientIsWrong },
  "400 channel-number": { what: "the channel number is outside 0x4000 to 0x4FFF", todo: clientIsWrong },
  "400 channel-on-tcp": { what: "ChannelBind on an allocation for TCP peers", todo: clientIsWrong },
  "400 connection-bind-control": {
    what: "ConnectionBind on a connection that has an allocation",
    todo: clientIsWrong,
  },
  "400 connection-bind-datagrams": { what: "ConnectionBind over UDP or DTLS", todo: clientIsWrong },
  "400 connection-id": {
    what: "no connection to a peer that waits has this CONNECTION-ID, or it is another user's",
    todo: ordinary,
  },
  "400 missing-credentials": {
    what: "the request is signed, but USERNAME, REALM or NONCE is missing",
    todo: clientIsWrong,
  },
  "400 no-channel-or-peer": { what: "ChannelBind without a channel or a peer", todo: clientIsWrong },
  "400 no-connection-id": { what: "ConnectionBind without CONNECTION-ID", todo: clientIsWrong },
  "400 no-peer": { what: "the request names no peer", todo: clientIsWrong },
  "400 no-transport": { what: "Allocate without REQUESTED-TRANSPORT", todo: clientIsWrong },
  "400 not-for-tcp": {
    what: "EVEN-PORT, RESERVATION-TOKEN or DONT-FRAGMENT with an allocation for TCP peers",
    todo: clientIsWrong,
  },
  "400 peer-port": { what: "ChannelBind to port 0", todo: clientIsWrong },
  "400 reservation-token": { what: "RESERVATION-TOKEN beside what excludes it", todo: clientIsWrong },
  "400 tcp-over-datagrams": {
    what: "an allocation for TCP peers was asked for over UDP or DTLS",
    todo: clientIsWrong,
  },
  "401 challenge": {
    what: "the request is not signed; every client's first one is answered so",
    todo: "nothing: the client signs the next one",
  },
  "401 credentials": {
    what: "user name or password is wrong, or the time of the user name is over",
    todo: "compare with what the GatewayConfig or its Secret says; a time-limited user name needs clocks that agree",
  },
  "401 realm": {
    what: "the realm is not the Gateway's",
    todo: "nothing, if it was just changed: the client asks again with the new one",
  },
  "403 stun-only": {
    what: "authentication is none: the listener answers Binding alone",
    todo: "set authType of the GatewayConfig, if it was meant to relay",
  },
  "420 unknown-attributes": {
    what: "the request has attributes that must be understood and are not",
    todo: "nothing: the client is told which, and may ask without them",
  },
  "437 allocation-exists": { what: "Allocate by a client that has an allocation", todo: clientIsWrong },
  "437 no-allocation": {
    what: "the client has no allocation, or none any more",
    todo: "see why it ended: `turnpike log DIR --type allocation.closed`",
  },
  "437 not-tcp": { what: "Connect on an allocation for UDP peers", todo: clientIsWrong },
  "438 stale-nonce": {
    what: "the nonce is more than an hour old, or was given to another address",
    todo: "nothing: the client asks again with the new one",
  },
  "440 family": {
    what: "no relayed address of that family can be had",
    todo: "give the relay an address of the family, if clients need it",
  },
  "441 other-user": { what: "the allocation was made by another user", todo: ordinary },
  "442 transport": { what: "REQUESTED-TRANSPORT is neither UDP nor TCP", todo: clientIsWrong },
  "443 family": { what: "Refresh for a family that the allocation does not have", todo: clientIsWrong },
  "443 peer-family": { what: "the peer is of a family that the allocation does not have", todo: clientIsWrong },
  "446 connection-exists": { what: "Connect to a peer that is connected", todo: clientIsWrong },
  "447 connect": {
    what: "the TCP peer did not take the connection in time",
    todo: "see whether the peer listens, and whether a NetworkPolicy lets the relay reach it",
  },
  "486 quota": {
    what: "the user has as many allocations as the quota allows",
    todo: "raise userQuota of the GatewayConfig, or find out why the user's allocations stay open",
  },
  "500 internal": {
    what: "the request could not be handled",
    todo: "see the error in the program's log; please report it",
  },
  "508 allocations": {
    what: "the relay has as many allocations as it may",
    todo: "add dataplanes, or raise the limit",
  },
  "508 channels": { what: "the allocation has as many channels or permissions as it may", todo: ordinary },
  "508 connections": { what: "the allocation has as many connections to TCP peers as it may", todo: ordinary },
  "508 permissions": { what: "the allocation has as many permissions as it may", todo: ordinary },
  "508 relay-port": {
    what: "no relayed transport address could be bound",
    todo: "see the program's log: ports or file descriptors have run out",
  },
  "508 reservation-token": { what: "the reserved port is not held any more", todo: ordinary },
  "508 reservations": { what: "as many ports are reserved as may be", todo: ordinary },
} as const satisfies Record<string, Reason>;

/** A request for a peer that is not admitted has the code of the denial. */
export type RefusalCode = keyof typeof requests | `403 ${DenialCode}`;

export const refusals: Readonly<Record<RefusalCode, Reason>> = {
  ...requests,
  ...(Object.fromEntries(denialCodes.map((code) => [`403 ${code}`, denials[code]])) as Record<
    `403 ${DenialCode}`,
    Reason
  >),
};

/** The error code of the answer (RFC 8489 §14.8). */
export const statusOf = (code: RefusalCode): number => Number(code.slice(0, 3));

/** Why a datagram, frame or connection was dropped without an answer. */
export const drops = {
  amplification: {
    what: "an answer over UDP that is long for its request, when there were many",
    todo: "nothing: somebody sends requests in the name of others",
  },
  "channel-data-length": { what: "ChannelData that is shorter than it says", todo: ordinary },
  "client-backlog": { what: "the client reads its stream too slowly", todo: "nothing: media is not kept for it" },
  connections: { what: "a TCP peer that is connected, or one too many for the allocation", todo: ordinary },
  "control-backlog": {
    what: "more requests than there is time for; media goes first",
    todo: "add dataplanes if clients are turned away; see authentication failures for a flood",
  },
  "dont-fragment": { what: "a Send indication with DONT-FRAGMENT that the engine cannot honour", todo: ordinary },
  "frame-garbage": { what: "bytes in a stream that are neither STUN nor ChannelData", todo: ordinary },
  "frame-too-long": { what: "a frame that is longer than any client needs", todo: ordinary },
  handshake: {
    what: "a TLS or DTLS handshake that failed",
    todo: "if clients complain: does the certificate have their host name, and do they trust its issuer?",
  },
  handshakes: { what: "more handshakes under way than the listener takes", todo: "add dataplanes if it goes on" },
  "idle-connection": { what: "a connection without an allocation for too long", todo: ordinary },
  "idle-connections": { what: "more connections without an allocation than the listener takes", todo: ordinary },
  internal: { what: "a message could not be handled", todo: "see the error in the program's log; please report it" },
  "listener-bandwidth": { what: "data above --max-listener-kbps", todo: "raise it, or add dataplanes" },
  "listener-requests": { what: "requests above --max-requests-per-second", todo: "raise it, or add dataplanes" },
  method: { what: "a request with a method that TURN does not have", todo: ordinary },
  "no-allocation": { what: "data of a client without an allocation", todo: ordinary },
  "no-channel": { what: "ChannelData with a number that is not bound", todo: ordinary },
  "no-permission": { what: "a packet to or from a peer without a permission", todo: ordinary },
  "not-admitted": {
    what: "a packet to or from a peer that is not admitted",
    todo: "the code of the denial is in `peer.refused` and in turnpike_peers_denied_total",
  },
  "not-a-request": { what: "a STUN response, or an indication that no server takes", todo: ordinary },
  "not-dtls": { what: "a datagram to a DTLS listener that is no record", todo: ordinary },
  "not-stun": { what: "a datagram that is neither STUN nor ChannelData", todo: ordinary },
  "partial-frame": { what: "a frame that was not completed in time", todo: ordinary },
  "proxy-header": {
    what: "a connection that does not begin with a PROXY header",
    todo: "the load balancer must send version 2",
  },
  "proxy-header-late": { what: "a PROXY header that did not come in time", todo: "see the load balancer" },
  "send-attributes": {
    what: "a Send indication with an attribute that must be understood and is not",
    todo: ordinary,
  },
  "send-indication": { what: "a Send indication that is malformed, or lacks a peer or data", todo: ordinary },
  "socket-backlog": { what: "the kernel takes no more datagrams", todo: "add dataplanes, or raise net.core.wmem_max" },
  "stun-address-family": { what: "a message with an address of no known family", todo: ordinary },
  "stun-attribute-bounds": { what: "an attribute that goes beyond its message", todo: ordinary },
  "stun-attribute-count": { what: "a message with more attributes than any client sends", todo: ordinary },
  "stun-attribute-length": { what: "a message with an attribute of a wrong length", todo: ordinary },
  "stun-fingerprint": { what: "a FINGERPRINT that does not match", todo: ordinary },
  "stun-fingerprint-place": { what: "a FINGERPRINT that is not the last attribute", todo: ordinary },
  "stun-header": { what: "a STUN header that does not match its message", todo: ordinary },
  "stun-short": { what: "a message shorter than a STUN header", todo: ordinary },
  "too-long": { what: "a datagram longer than 64 KiB with its framing, or than the buffers", todo: ordinary },
  unproven: {
    what: "an answer over UDP that is longer than its request, to an address that has not authenticated and asks often",
    todo: "nothing: somebody sends requests in its name, and clients try again; --max-unproven-answers-per-second allows more",
  },
  unsendable: {
    what: "the system did not send a datagram",
    todo: "if there are many: see routes, NetworkPolicies and MTU towards the peers",
  },
  "user-bandwidth": { what: "data above --max-user-kbps", todo: "raise it, if users need more" },
  "user-requests": { what: "requests above --max-user-requests-per-second", todo: "raise it, if users need more" },
} as const satisfies Record<string, Reason>;
export type DropCode = keyof typeof drops;

const elsewhere = { todo: "the answer of `turnpike explain` says which, and what to change" } as const;

/**
 * What `turnpike explain` says of a peer, the most telling first. What the relay would say has the relay's code; the
 * others say where a way ends that it never hears of.
 */
export const explanations = {
  reachable: { what: "clients may reach the peer", todo: "nothing" },
  "not-synced": { what: "not all objects were listed at that moment", todo: "ask for a later one with --at" },
  "listener-not-serving": { what: "the listener does not serve", ...elsewhere },
  port: denials.port,
  "own-address": denials["own-address"],
  "special-address": denials["special-address"],
  revoked: denials.revoked,
  "grant-missing": { what: "no ReferenceGrant lets the route refer to the backend", ...elsewhere },
  "namespace-not-allowed": { what: "the listener does not take routes of that namespace", ...elsewhere },
  "section-name": { what: "the route asks for another listener", ...elsewhere },
  masked: { what: "a UDPRoute of stunner.l7mp.io has the route's name, and counts in its place", ...elsewhere },
  "parent-namespace": { what: "the parentRef does not name the Gateway's namespace", ...elsewhere },
  "other-gateway": { what: "what lists the peer is attached elsewhere", ...elsewhere },
  "gateway-invalid": { what: "the Gateway has no config", ...elsewhere },
  "class-not-ours": { what: "the GatewayClass is not this controller's, or incomplete", ...elsewhere },
  "gateway-missing": { what: "there is no such Gateway", ...elsewhere },
  "host-names": { what: "whether a host name stands for the peer is known to the dataplane alone", ...elsewhere },
  "backend-unusable": { what: "the backend is of a kind that cannot be routed to", ...elsewhere },
  "service-missing": { what: "the backend does not exist", ...elsewhere },
  "kind-not-allowed": { what: "the listener does not take this kind of route", ...elsewhere },
  "no-endpoints": { what: "the Service has no endpoints", ...elsewhere },
  "no-rules": { what: "the route names no backend", ...elsewhere },
  "service-not-routed": { what: "the peer is an endpoint of a Service that no route names", ...elsewhere },
  protocol: denials.protocol,
  "no-route": { what: "no route is attached to the listener", ...elsewhere },
  "no-cluster": denials["no-cluster"],
  passed: { what: "the way goes on from here", todo: "nothing" },
} as const satisfies Record<DenialCode, Reason> & Record<string, Reason>;
