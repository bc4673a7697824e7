/** The public part of the engines: their names, and the batch engine's datagrams, which the load generator sends with. */
export { Datagrams } from "./batch/datagrams.ts";
export type { DatagramSocket } from "./batch/datagram-socket.ts";
export { engineNames, type EngineName } from "./choose.ts";
