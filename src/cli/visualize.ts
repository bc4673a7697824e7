/** `turnpike visualize LOG`: serves the page for a recorded log. */
import { existsSync } from "node:fs";
import { Command } from "commander";
import { startAdmin } from "../admin/server.ts";
import { TurnpikeError } from "../errors.ts";
import { adminTokenOption, parseAdmin, readAdminToken, type HostAndPort } from "./admin-options.ts";
import { onStopSignal } from "./signals.ts";

interface VisualizeOptions {
  readonly listen: HostAndPort;
  readonly adminTokenFile?: string;
}

export const visualizeCommand = (): Command =>
  new Command("visualize")
    .description("serve the visualizer over a recorded event log, also one that is still written to; ends on Ctrl-C")
    .argument("<log>", "folder of the log, or one file of it")
    .option("--listen <host:port>", "where the page is served; port 0: any free one", parseAdmin, {
      host: "127.0.0.1",
      port: 0,
    })
    .addOption(adminTokenOption())
    .action(async (journal: string, { listen, adminTokenFile }: VisualizeOptions) => {
      if (!existsSync(journal)) throw new TurnpikeError("usage", `${journal}: there is no such log`);
      const admin = await startAdmin({ ...listen, ...readAdminToken(adminTokenFile), journal });
      const host = admin.host.includes(":") ? `[${admin.host}]` : admin.host;
      process.stdout.write(`${journal} at http://${host}:${admin.port}/\nCtrl-C ends it\n`);
      onStopSignal(() => void admin.close().then(() => process.exit(0)));
    });
