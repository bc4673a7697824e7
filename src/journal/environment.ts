/** The environments of the containers of a workload: their values are secrets. */
import type { KubernetesObject } from "../resources/core.ts";
import { bytesOf, type Seal } from "./seal.ts";
import type { Secrets } from "./secrets.ts";

/** An environment variable with an inline value. */
const isVariable = (one: unknown): one is { readonly name: unknown; readonly value: unknown } =>
  typeof one === "object" && one !== null && "name" in one && "value" in one;

interface PodTemplate {
  readonly template?: { readonly spec?: Readonly<Record<string, unknown>> };
}

/** `object` with the environments of its containers changed by `change`, if it has containers. */
export const withEnvironment = <T extends KubernetesObject>(
  object: T,
  change: (env: readonly unknown[]) => readonly unknown[],
): T => {
  const { spec } = object as T & { readonly spec?: PodTemplate };
  const pod = spec?.template?.spec;
  if (pod === undefined) return object;
  const changed = (["containers", "initContainers"] as const).flatMap((list) => {
    const containers = pod[list];
    if (!Array.isArray(containers)) return [];
    const next = containers.map((container: { readonly env?: unknown }) =>
      Array.isArray(container.env) ? { ...container, env: change(container.env) } : container,
    );
    return [[list, next] as const];
  });
  return {
    ...object,
    spec: { ...spec, template: { ...spec?.template, spec: { ...pod, ...Object.fromEntries(changed) } } },
  };
};

export const redactEnvironment = (env: readonly unknown[], seal: Seal): readonly unknown[] =>
  env.map((variable) => (isVariable(variable) ? { ...variable, value: seal.put(bytesOf(variable.value)) } : variable));

/**
 * A workload with the values of its containers' environment.
 * @throws TurnpikeError `secret-unknown` for a digest without a value.
 */
export const revealEnvironment = <T extends KubernetesObject>(object: T, { valueOf }: Secrets): T =>
  withEnvironment(object, (env) =>
    env.map((variable) =>
      isVariable(variable) && typeof variable.value === "string"
        ? { ...variable, value: valueOf(variable.value, "utf8", `the value of variable ${String(variable.name)}`) }
        : variable,
    ),
  );
