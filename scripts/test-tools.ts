/**
 * What the tests need beside npm packages: coturn's client tools and Chromium. Installs them from Debian when it may;
 * otherwise says exactly what is missing, and fails.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const tools = [
  { command: "turnutils_uclient", debian: "coturn", purpose: "TURN clients that we did not write" },
  { command: "chromium", debian: "chromium", purpose: "WebRTC in a real browser" },
  { command: "openssl", debian: "openssl", purpose: "test certificates" },
] as const;

const isThere = (command: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

const run = (command: string, ...args: readonly string[]): boolean => {
  process.stderr.write(`$ ${command} ${args.join(" ")}\n`);
  const { status } = spawnSync(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return status === 0;
};

let missing = tools.filter(({ command }) => !isThere(command));
if (missing.length > 0 && isThere("apt-get") && process.getuid?.() === 0) {
  run("apt-get", "update", "-qq");
  run("apt-get", "install", "-y", "-qq", "--no-install-recommends", ...missing.map(({ debian }) => debian));
  missing = tools.filter(({ command }) => !isThere(command));
}
if (missing.length > 0) {
  for (const { command, debian, purpose } of missing)
    process.stderr.write(`missing: ${command} (${purpose}); on Debian: sudo apt-get install ${debian}\n`);
  process.exitCode = 1;
}
