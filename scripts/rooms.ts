/** The rooms of the house: the folders of `src`, which the lint and the architecture page go by. */

export interface Room {
  readonly name: string;
  /** One line, for the list of rooms. */
  readonly what: string;
  readonly pure?: true;
  /** Packages that a pure room may import. */
  readonly packages?: readonly string[];
}

/**
 * The rooms of the house, in the order in which data walks through them. A room imports from itself and from rooms
 * above it in this list, never from one below. `pure` rooms use no clock, no randomness and no I/O.
 */
export const rooms: readonly Room[] = [
  {
    name: "net",
    what: "IP addresses, prefixes, ports and the endpoint grammar: what is one, its value, its text",
    pure: true,
  },
  // Hashes and checksums are functions of their input.
  {
    name: "stun",
    what: "STUN and TURN on the wire: attributes, messages, integrity, framing on streams, time-limited credentials",
    pure: true,
    packages: ["node:crypto", "node:zlib"],
  },
  { name: "resources", what: "Kubernetes objects and dataplane configs as types, with their schemas, names and keys" },
  {
    name: "admission",
    what: "which peers a client may reach, and why not; the transitions that change it",
    pure: true,
  },
  {
    name: "journal",
    what: "the event log: facts and derivations as types, segments, recovery, redaction, the store of secrets",
  },
  { name: "kubernetes", what: "the API server: connections, paths, port-forward" },
  { name: "watchers", what: "what is seen: a directory of manifests, or each kind of an API server by list and watch" },
  {
    name: "machines",
    what: "the state machines of operator, Gateway, listener, route and endpoint, and what refers to what",
    pure: true,
    packages: ["xstate"],
  },
  { name: "render", what: "objects in; configs, statuses, Services and workloads out", pure: true },
  {
    name: "core",
    what: "facts in; transitions, outputs and admission steps out. `replay.ts` does it again and compares",
    pure: true,
  },
  { name: "history", what: "the world as of any line of a log, read without replaying", pure: true },
  { name: "dataplane", what: "the TURN relay: listeners, requests, allocations, packet engines, worker threads" },
  { name: "explain", what: "why a peer can or cannot be reached, step by step", pure: true },
  { name: "lint", what: "what is wrong with manifests before anybody applies them", pure: true },
  { name: "doctor", what: "what is missing in an installation, check by check, from what was read of it", pure: true },
  { name: "slices", what: "a part of a log with names and addresses replaced, to send to somebody", pure: true },
  { name: "turn-client", what: "a TURN client" },
  { name: "load", what: "load on a TURN server, and what came back" },
  { name: "tunnel", what: "a local port that leads through a TURN server to a peer" },
  { name: "discovery", what: "configs on their way to dataplanes: the server, the watching client, files" },
  { name: "credentials", what: "the authentication service: TURN credentials over HTTP" },
  { name: "icetest", what: "whether ICE works in a cluster: test pods, WHIP, measurements" },
  { name: "effects", what: "what is done: objects and statuses written, configs published, leases held" },
  { name: "visualizer", what: "the page: its server, and in `app/` the modules that run in the browser" },
  { name: "admin", what: "the admin API, probes and metrics" },
  { name: "runtime", what: "programs put together: operator, dataplane, standalone, and the loop that turns the core" },
  { name: "cli", what: "the commands: flags in, text out" },
  { name: "testing", what: "what the package offers to tests of others" },
];
