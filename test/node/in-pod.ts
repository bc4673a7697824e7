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

export const IN_POD = { writes, memoryLimit, allocateUntilKilled } as const;
