/** A media server for tests: sends back what comes to port 9000, until it is killed. A call is no reason to hurry. */
import { createSocket } from "node:dgram";
import { createServer } from "node:http";

const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
socket.on("message", (message, from) => socket.send(message, from.port, from.address));
socket.bind(9000, () => createServer((_, response) => response.end()).listen(9001));
process.on("SIGTERM", () => process.stdout.write("asked to end\n"));
