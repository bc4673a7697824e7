/** What the Dockerfile says of the image, for those who make or run it without Docker. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  DockerfileParser,
  ModifiableInstruction,
  type Instruction,
  type JSONInstruction,
  type PropertyInstruction,
} from "dockerfile-ast";

export const path = fileURLToPath(new URL("Dockerfile", import.meta.url));

export interface ImageSettings {
  /** `FROM`s, in order. */
  readonly from: readonly string[];
  /** Of the last stage: instructions and their arguments, less those below. */
  readonly last: readonly string[];
  readonly user: string;
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Such as `3478/udp`. */
  readonly ports: readonly string[];
  readonly stopSignal: string;
  /** What the build stage runs. */
  readonly run: string;
}

const argumentsOf = (instruction: Instruction): string => (instruction.getArgumentsContent() ?? "").trim();

const withFlags = (instruction: Instruction): string =>
  [...(instruction instanceof ModifiableInstruction ? instruction.getFlags() : []), argumentsOf(instruction)].join(" ");

export const readDockerfile = (): ImageSettings => {
  const file = DockerfileParser.parse(readFileSync(path, "utf8"));
  const all = file.getInstructions();
  const last = all.slice(all.findLastIndex((one) => one.getKeyword() === "FROM"));
  const only = (keyword: string): Instruction => {
    const found = last.filter((one) => one.getKeyword() === keyword);
    if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} ${keyword} in the last stage`);
    return found[0];
  };
  const pairs = (keyword: "ENV" | "LABEL"): Readonly<Record<string, string>> =>
    Object.fromEntries(
      (only(keyword) as PropertyInstruction)
        .getProperties()
        .map((property) => [property.getName(), property.getValue() ?? ""]),
    );
  return {
    from: file.getFROMs().map(withFlags),
    last: last.map((one) => `${one.getKeyword()} ${withFlags(one)}`),
    user: argumentsOf(only("USER")),
    workdir: argumentsOf(only("WORKDIR")),
    entrypoint: (only("ENTRYPOINT") as JSONInstruction).getJSONStrings().map((one) => one.getJSONValue()),
    env: pairs("ENV"),
    labels: pairs("LABEL"),
    ports: argumentsOf(only("EXPOSE")).split(/\s+/),
    stopSignal: argumentsOf(only("STOPSIGNAL")),
    run: all
      .filter((one) => one.getKeyword() === "RUN")
      .map(argumentsOf)
      .join("\n"),
  };
};
