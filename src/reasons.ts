/**
 * Why the relay rejects or drops: each code, its meaning and what to do. Log lines, metric labels, the API, `turnpike
 * explain` and `docs/reference/reasons.md` all use this table.
 */
interface Reason {
  readonly what: string;
  readonly todo: string;
}

const ordinary = "nothing, unless there are many: sent by a faulty client or a scanner";
const clientIsWrong = "nothing here: the client's request is wrong";

/** Why a client may not exchange packets with a peer. */
export const denials = {
  "own-address": {
    what: "the peer is on the relay's own host: on loopback, over TCP, or at a port of one of the relay's listeners",
    todo: "if this is intended, list this exact address in a StaticService; a wider prefix does not admit it",
  },
  "special-address": {
    what: "the peer is a special address: loopback, link-local, cloud metadata, multicast or similar",
    todo: "if this is intended, list this exact address in a StaticService; a wider prefix does not admit it",
  },
  "private-address": {
    what: "the peer is a private address, which wide prefixes do not admit at a relay with --deny-private-peers",
    todo: "if this is intended, list the address or its block in a StaticService",
  },
  port: {
    what: "a routed cluster contains the peer, but not this port",
    todo: "use a port in the range, or widen port and endPort of the backendRef",
  },
  revoked: {
    what: "the peer is no longer an endpoint of any routed backend",
    todo: "nothing, if the pod was removed on purpose; clients need the addresses of the current pods",
  },
  protocol: {
    what: "the cluster that contains the peer is for the other protocol (UDP or TCP)",
    todo: "use a route for the protocol by which the peer is reached",
  },
  "no-cluster": {
    what: "no cluster that is routed from the listener contains the peer",
    todo: "check that the route is attached and that its Service has the address: `turnpike explain ADDRESS`",
  },
} as const satisfies Record<string, Reason>;
export type DenialCode = keyof typeof denials;
export const denialCodes = Object.keys(denials) as readonly DenialCode[];

/** Requests that are answered with an error, by its number and reason. */
const requests = {
  "300 try-alternate": {
    what: "the relay is draining and sends new clients to another server",
    todo: "nothing: clients retry there; `turnpike explain client/ADDRESS` shows to which server each was sent",
  },
  "400 additional-family": {
    what: "ADDITIONAL-ADDRESS-FAMILY is not IPv6, or is used with an attribute that excludes it",
    todo: clientIsWrong,
  },
  "400 address-family": { what: "an address in the request has an unknown family", todo: clientIsWrong },
  "400 attribute-length": { what: "an attribute of the request has an invalid length", todo: clientIsWrong },
  "400 channel-conflict": { what: "the channel is bound to another peer, or the peer to another", todo: clientIsWrong },
  "400 channel-number": { what: "the channel number is outside 0x4000 to 0x4FFF", todo: clientIsWrong },
  "400 channel-on-tcp": { what: "ChannelBind on an allocation for TCP peers", todo: clientIsWrong },
  "400 connection-bind-control": {
    what: "ConnectionBind on a connection that has an allocation",
    todo: clientIsWrong,
  },
  "400 connection-bind-datagrams": { what: "ConnectionBind over UDP or DTLS", todo: clientIsWrong },
  "400 connection-id": {
    what: "no unbound connection to a peer has this CONNECTION-ID, or it belongs to another user",
    todo: ordinary,
  },
  "400 mobility-same-address": {
    what: "Refresh with a mobility ticket from the address that the allocation has already",
    todo: clientIsWrong,
  },
  "400 mobility-ticket": {
    what: "MOBILITY-TICKET is not empty in an Allocate, or empty in a Refresh",
    todo: clientIsWrong,
  },
  "400 mobility-ticket-replaced": {
    what: "the mobility ticket is an earlier one: the client has used its newer one",
    todo: clientIsWrong,
  },
  "400 mobility-ticket-unknown": {
    what: "the mobility ticket was forged, or issued by another relay, another Gateway or before a restart",
    todo: "nothing: the client allocates anew; a load balancer may have sent it to another dataplane",
  },
  "400 missing-credentials": {
    what: "the request is signed, but USERNAME, REALM or NONCE is missing",
    todo: clientIsWrong,
  },
  "400 no-channel-or-peer": { what: "ChannelBind without a channel or a peer", todo: clientIsWrong },
  "400 no-connection-id": { what: "ConnectionBind without CONNECTION-ID", todo: clientIsWrong },
  "400 no-peer": { what: "the request has no peer address", todo: clientIsWrong },
  "400 no-transport": { what: "Allocate without REQUESTED-TRANSPORT", todo: clientIsWrong },
  "400 not-for-tcp": {
    what: "EVEN-PORT, RESERVATION-TOKEN or DONT-FRAGMENT with an allocation for TCP peers",
    todo: clientIsWrong,
  },
  "400 password-algorithm": {
    what: "PASSWORD-ALGORITHMS differs from what the challenge offered, or PASSWORD-ALGORITHM is missing or not among it",
    todo: "nothing, unless it is frequent: the client is faulty, or somebody between changes challenges (bid-down attack)",
  },
  "400 peer-port": { what: "ChannelBind to port 0", todo: clientIsWrong },
  "400 reservation-token": {
    what: "RESERVATION-TOKEN is used with an attribute that excludes it",
    todo: clientIsWrong,
  },
  "400 tcp-over-datagrams": {
    what: "an allocation for TCP peers was requested over UDP or DTLS",
    todo: clientIsWrong,
  },
  "401 challenge": {
    what: "the request has no MESSAGE-INTEGRITY; this is the answer to every client's first request",
    todo: "nothing: the client authenticates its next request",
  },
  "401 credentials": {
    what: "the user name or password is wrong, or the user name has expired",
    todo: "compare them with the GatewayConfig or its Secret; for time-limited user names, check that the clocks agree",
  },
  "401 realm": {
    what: "the realm is not the realm of the Gateway",
    todo: "nothing, if it was just changed: the client retries with the new realm",
  },
  "403 blocked": {
    what: "the user is blocked at this Gateway",
    todo: "nothing, if this is intended: `turnpike log` has who blocked the user and why; `turnpike unblock USER`",
  },
  "403 stun-only": {
    what: "authentication is disabled (`none`): the listener answers only STUN Binding requests",
    todo: "set authType of the GatewayConfig if the Gateway should relay",
  },
  "405 mobility-listener": {
    what: "the mobility ticket belongs to an allocation of another listener",
    todo: "nothing: clients can move only within a listener",
  },
  "405 mobility-off": {
    what: "the relay issues no mobility tickets: --no-mobility is set, or several threads relay",
    todo: "remove --no-mobility, and relay with one thread, if clients should keep calls when their address changes",
  },
  "420 unknown-attributes": {
    what: "the request has unknown attributes whose comprehension is required",
    todo: "nothing: the answer lists them, and the client can retry without them",
  },
  "437 allocation-exists": { what: "Allocate by a client that has an allocation", todo: clientIsWrong },
  "437 no-allocation": {
    what: "the client has no allocation, or it has ended",
    todo: "to see why it ended: `turnpike log DIR --type allocation.closed`",
  },
  "437 not-tcp": { what: "Connect on an allocation for UDP peers", todo: clientIsWrong },
  "438 stale-nonce": {
    what: "the nonce is more than an hour old, or was issued to another address",
    todo: "nothing: the client retries with the new nonce",
  },
  "440 family": {
    what: "the relay has no address of that family",
    todo: "give the relay an address of that family if clients need it",
  },
  "441 other-user": { what: "the allocation belongs to another user", todo: ordinary },
  "442 transport": { what: "REQUESTED-TRANSPORT is neither UDP nor TCP", todo: clientIsWrong },
  "443 family": { what: "Refresh for a family that the allocation does not have", todo: clientIsWrong },
  "443 peer-family": { what: "the peer has an address family that the allocation does not have", todo: clientIsWrong },
  "446 connection-exists": { what: "Connect to a peer that is already connected", todo: clientIsWrong },
  "447 connect": {
    what: "the TCP peer did not accept the connection in time",
    todo: "check that the peer listens, and that NetworkPolicies allow the relay to reach it",
  },
  "486 quota": {
    what: "the user has reached the allocation quota",
    todo: "raise userQuota of the GatewayConfig, or find out why the user's allocations stay open",
  },
  "500 internal": {
    what: "the request could not be handled",
    todo: "please report it with the error from the log",
  },
  "508 allocations": {
    what: "the relay has reached its limit of allocations",
    todo: "add dataplanes, or raise the limit",
  },
  "508 channels": { what: "the allocation has reached its limit of channels or permissions", todo: ordinary },
  "508 connections": { what: "the allocation has reached its limit of connections to TCP peers", todo: ordinary },
  "508 mobility-tickets": { what: "the client has moved the allocation 16 million times", todo: ordinary },
  "508 permissions": { what: "the allocation has reached its limit of permissions", todo: ordinary },
  "508 relay-port": {
    what: "no relayed transport address could be bound",
    todo: "see the log: the relay has run out of ports or file descriptors",
  },
  "508 reservation-token": { what: "the reserved port has expired", todo: ordinary },
  "508 reservations": { what: "the relay has reached its limit of reserved ports", todo: ordinary },
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
    what: "one of many answers over UDP that are much longer than their requests",
    todo: "nothing: somebody sends requests with forged source addresses",
  },
  "channel-data-length": { what: "ChannelData that is shorter than its length field says", todo: ordinary },
  "client-backlog": {
    what: "the client reads its TCP or TLS connection too slowly",
    todo: "nothing: media is not queued for slow clients",
  },
  connections: {
    what: "a connection of a TCP peer that is already connected, or more connections than an allocation can have",
    todo: ordinary,
  },
  "control-backlog": {
    what: "more requests than the relay can handle; media has priority",
    todo: "add dataplanes if clients are affected; many authentication failures indicate a flood",
  },
  "discovery-port": { what: "a request other than Binding at the port for NAT behaviour discovery", todo: ordinary },
  "dont-fragment": { what: "a Send indication with DONT-FRAGMENT that the engine cannot honour", todo: ordinary },
  "frame-garbage": { what: "bytes in a stream that are neither STUN nor ChannelData", todo: ordinary },
  "frame-too-long": { what: "a frame that is longer than clients need", todo: ordinary },
  handshake: {
    what: "a TLS or DTLS handshake that failed",
    todo: "if clients are affected, check that the certificate has the host name they use, and that they trust its issuer",
  },
  handshakes: { what: "more concurrent handshakes than the listener allows", todo: "add dataplanes if this continues" },
  "http-backend": {
    what: "a connection for the listener's HTTP backend, which did not accept it",
    todo: "check that the backend runs; the log has its address and the error",
  },
  "http-connections": {
    what: "more connections to the HTTP backend than the listener allows",
    todo: "add dataplanes, or raise --max-http-connections",
  },
  "http-idle": { what: "a connection to the HTTP backend without data for too long", todo: "nothing" },
  "idle-connection": { what: "a connection that has had no allocation for too long", todo: ordinary },
  "idle-connections": { what: "more connections without an allocation than the listener allows", todo: ordinary },
  internal: { what: "a message could not be handled", todo: "please report it with the error from the log" },
  "listener-bandwidth": { what: "data above --max-listener-kbps", todo: "raise it, or add dataplanes" },
  "listener-requests": { what: "requests above --max-requests-per-second", todo: "raise it, or add dataplanes" },
  method: { what: "a request with a method that is not part of TURN", todo: ordinary },
  "no-allocation": { what: "data from a client without an allocation", todo: ordinary },
  "no-channel": { what: "ChannelData with a number that is not bound", todo: ordinary },
  "no-permission": { what: "a packet to or from a peer without a permission", todo: ordinary },
  "not-admitted": {
    what: "a packet to or from a peer that is not admitted",
    todo: "`peer.refused` and turnpike_peers_denied_total contain the code of the denial",
  },
  "no-descriptors": {
    what: "a TCP connection that waits to be accepted, because the process may open no more files",
    todo: "raise the limit of open files (`ulimit -n`, or that of the container runtime), or add dataplanes",
  },
  "not-a-request": { what: "a STUN response, or an indication that servers do not accept", todo: ordinary },
  "not-dtls": { what: "a datagram to a DTLS listener that is not a DTLS record", todo: ordinary },
  "not-stun": { what: "a datagram that is neither STUN nor ChannelData", todo: ordinary },
  "partial-frame": { what: "a frame that was not completed in time", todo: ordinary },
  "proxy-header": {
    what: "a connection, or a datagram of a load balancer, that does not begin with a PROXY header",
    todo: "the load balancer must send version 1 or 2; over UDP, version 2 before each datagram",
  },
  "proxy-header-late": { what: "a PROXY header that did not arrive in time", todo: "check the load balancer" },
  "send-attributes": {
    what: "a Send indication with an unknown attribute whose comprehension is required",
    todo: ordinary,
  },
  "send-indication": { what: "a Send indication that is malformed, or has no peer or no data", todo: ordinary },
  "socket-backlog": {
    what: "the kernel accepts no more datagrams",
    todo: "add dataplanes, or raise net.core.wmem_max",
  },
  "stun-address-family": { what: "a message with an address of an unknown family", todo: ordinary },
  "stun-attribute-bounds": { what: "an attribute that extends beyond its message", todo: ordinary },
  "stun-attribute-count": { what: "a message with more attributes than clients send", todo: ordinary },
  "stun-attribute-length": { what: "a message with an attribute of an invalid length", todo: ordinary },
  "stun-fingerprint": { what: "a FINGERPRINT that does not match", todo: ordinary },
  "stun-fingerprint-place": { what: "a FINGERPRINT that is not the last attribute", todo: ordinary },
  "stun-header": { what: "a STUN header that does not match its message", todo: ordinary },
  "stun-short": { what: "a message shorter than a STUN header", todo: ordinary },
  "too-long": { what: "a datagram that is longer than 64 KiB with its framing, or than the buffers", todo: ordinary },
  unproven: {
    what: "an answer over UDP that is longer than its request, to an unauthenticated source that sends many requests",
    todo: "nothing: somebody forges its address, and real clients retry; --max-unproven-answers-per-second allows more",
  },
  unsendable: {
    what: "the operating system could not send a datagram",
    todo: "if there are many, check routes, NetworkPolicies and the MTU to the peers",
  },
  "user-bandwidth": { what: "data above --max-user-kbps", todo: "raise it, if users need more" },
  "user-requests": { what: "requests above --max-user-requests-per-second", todo: "raise it, if users need more" },
} as const satisfies Record<string, Reason>;
export type DropCode = keyof typeof drops;

const elsewhere = { todo: "`turnpike explain` shows which one, and what to change" } as const;

/**
 * The answers of `turnpike explain` about a peer, the most specific first. If the relay would deny the peer, the answer has
 * the relay's code; the others describe failures that the relay never sees.
 */
export const explanations = {
  reachable: { what: "clients can reach the peer", todo: "nothing" },
  "not-synced": { what: "not all objects had been listed at that time", todo: "choose a later time with --at" },
  "listener-not-serving": { what: "the listener is not serving", ...elsewhere },
  port: denials.port,
  "own-address": denials["own-address"],
  "special-address": denials["special-address"],
  "private-address": denials["private-address"],
  revoked: denials.revoked,
  "grant-missing": { what: "no ReferenceGrant allows the route to refer to the backend", ...elsewhere },
  "namespace-not-allowed": { what: "the listener does not allow routes from that namespace", ...elsewhere },
  "section-name": { what: "the route's sectionName selects another listener", ...elsewhere },
  masked: { what: "a UDPRoute of stunner.l7mp.io with the same name replaces the route", ...elsewhere },
  "parent-namespace": { what: "the parentRef does not refer to the Gateway's namespace", ...elsewhere },
  "other-gateway": { what: "the route with the peer is attached to another Gateway", ...elsewhere },
  "gateway-invalid": { what: "the Gateway has no config", ...elsewhere },
  "class-not-ours": { what: "the GatewayClass belongs to another controller, or is incomplete", ...elsewhere },
  "gateway-missing": { what: "the Gateway does not exist", ...elsewhere },
  "host-names": { what: "only the dataplane knows whether a host name resolves to the peer", ...elsewhere },
  "backend-unusable": { what: "routes cannot refer to this kind of backend", ...elsewhere },
  "service-missing": { what: "the backend does not exist", ...elsewhere },
  "kind-not-allowed": { what: "the listener does not allow this kind of route", ...elsewhere },
  "no-endpoints": { what: "the Service has no endpoints", ...elsewhere },
  "no-rules": { what: "the route has no backends", ...elsewhere },
  "service-not-routed": { what: "the peer is an endpoint of a Service that no route refers to", ...elsewhere },
  protocol: denials.protocol,
  "no-route": { what: "no route is attached to the listener", ...elsewhere },
  "no-cluster": denials["no-cluster"],
  passed: { what: "this step passed", todo: "nothing" },
} as const satisfies Record<DenialCode, Reason> & Record<string, Reason>;
