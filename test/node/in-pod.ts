/** Scripts of Node for `kubectl exec`: the image has no shell. Each prints JSON. */

/** Whether `paths` can be written to: `written`, or the code of the error. */
const writes = (...paths: readonly string[]): string => `
  const { rmSync, writeFileSync } = require("node:fs");
  const outcome = (path) => {
    try {
      writeFileSync(path, "");
      rmSync(path);
      return "written";
    } catch ({ code }) {
      return code;
    }
  };
  const paths = ${JSON.stringify(paths)};
  const writes = Object.fromEntries(paths.map((path) => [path, outcome(path)]));
  console.log(JSON.stringify({ user: process.getuid(), writes }));
`;

/** Bytes, of cgroups of version 1 or 2. */
const memoryLimit = `
  const { existsSync, readFileSync } = require("node:fs");
  const files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
  console.log(readFileSync(files.find(existsSync), "utf8"));
`;

/** Has the container's first process take memory until it is killed: by its debugger, which SIGUSR1 opens on loopback. */
const allocateUntilKilled = `
  process.kill(1, "SIGUSR1");
  const look = () =>
    fetch("http://127.0.0.1:9229/json")
      .then((response) => response.json())
      .then(([{ webSocketDebuggerUrl }]) => {
        const expression = "for (const held = []; ; ) held.push(Buffer.alloc(2 ** 24, 1))";
        const socket = new WebSocket(webSocketDebuggerUrl);
        socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression } }));
      })
      .catch(() => setTimeout(look, 20));
  look();
`;

const SILENCE_MS = 1000;

/**
 * What comes of a datagram to, or a connection with, a port of a host: `answer` (of TCP: connected), `closed` (somebody there
 * says that nobody listens), or `silence`.
 */
const attempt = (protocol: "udp" | "tcp", host: string, port: number): string => `
  const tell = (outcome) => {
    console.log(JSON.stringify(outcome));
    process.exit();
  };
  setTimeout(tell, ${SILENCE_MS}, "silence");
  const [host, port] = [${JSON.stringify(host)}, ${port}];
  const socket =
    "${protocol}" === "tcp"
      ? require("node:net").connect(port, host, () => tell("answer"))
      : require("node:dgram").createSocket(host.includes(":") ? "udp6" : "udp4", () => tell("answer"));
  socket.on("error", ({ code }) => tell(code === "ECONNREFUSED" ? "closed" : code));
  if ("${protocol}" === "udp") socket.connect(port, host, () => socket.send("attempt"));
`;

/** The addresses that a name has, or the code of the error. */
const resolve = (name: string): string => `
  require("node:dns").promises.lookup(${JSON.stringify(name)}, { all: true }).then(
    (all) => console.log(JSON.stringify(all.map(({ address }) => address))),
    ({ code }) => console.log(JSON.stringify(code)),
  );
`;

export const IN_POD = { attempt, resolve, writes, memoryLimit, allocateUntilKilled } as const;
