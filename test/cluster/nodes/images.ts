/** Images that every node has: what holds a pod's namespaces, and the cluster's DNS; made of Go modules, once. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeArchive } from "../../../deploy/image/archive.ts";
import { cacheFolder, type Say } from "../binaries.ts";
import { buildGo } from "../go-program.ts";
import { PAUSE } from "./settings.ts";

const folder = fileURLToPath(new URL("programs", import.meta.url));

export const COREDNS = "localhost/coredns:1";

/** An archive of nothing but a program, kept beside it. */
const imageOf = (program: string, name: string): string => {
  const archive = join(cacheFolder(), `${basename(program)}.tar`);
  if (existsSync(archive)) return archive;
  const root = mkdtempSync(join(tmpdir(), "turnpike-image-"));
  try {
    mkdirSync(join(root, "tmp"));
    cpSync(program, join(root, "program"));
    const temporary = `${archive}.${process.pid}`;
    const architecture = process.arch === "arm64" ? "arm64" : "amd64";
    writeArchive({ root, out: temporary, name, architecture, config: { Entrypoint: ["/program"] } });
    renameSync(temporary, archive);
    return archive;
  } finally {
    rmSync(root, { recursive: true });
  }
};

/** Their archives. @throws MissingTool without Go. */
export const nodeImages = async (say: Say): Promise<readonly string[]> => [
  imageOf(await buildGo(folder, "pause", "pause", "builds the program that holds a pod's namespaces", say), PAUSE),
  imageOf(await buildGo(folder, "coredns", "coredns", "builds the DNS server of clusters", say), COREDNS),
];
