/** Removes what processes leave behind them, when this process ends: cgroups, a link of this machine, a folder. */
import { spawn } from "node:child_process";
import { CGROUPS } from "./cgroups.ts";

/** It reads names of links until we are gone. It tries for a minute: a cgroup goes once its last process has. */
const SCRIPT = `links=
while read -r link; do links="$links $link"; done
tries=0
while [ $tries -lt 600 ]; do
  left=
  for root in ${CGROUPS} ${CGROUPS}/*; do
    [ -d "$root/$0" ] || continue
    find "$root/$0" -depth -type d -exec rmdir {} + 2> /dev/null
    [ -d "$root/$0" ] && left=1
  done
  [ -z "$left" ] && break
  tries=$((tries + 1))
  sleep 0.1
done
for link in $links; do ip link delete "$link" 2> /dev/null; done
[ -z "$1" ] || rm -rf "$1"`;

export interface Reaper {
  /** A link to remove. */
  add(link: string): void;
  /** Resolves once everything is gone. */
  close(): Promise<void>;
}

/** Removes cgroup `name`, and `folder` if there is one, when it is closed or this process ends, however it ends. */
export const startReaper = (name: string, folder: string | undefined): Reaper => {
  const child = spawn("sh", ["-c", SCRIPT, name, folder ?? ""], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.unref();
  return {
    add: (link) => void child.stdin.write(`${link}\n`),
    async close() {
      child.ref();
      child.stdin.end();
      await ended;
    },
  };
};
