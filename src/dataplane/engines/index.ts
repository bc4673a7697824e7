/** What others may use of the engines: their names, and the batch engine's datagrams, which the load generator sends by. */
export { Datagrams, type DatagramSocket } from "./batch/datagrams.ts";
export { engineNames, type EngineName } from "./choose.ts";
