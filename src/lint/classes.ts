/** GatewayClasses and GatewayConfigs. */
import { usableClass } from "../render/classes.ts";
import { nameOf, nameOfObject } from "../resources/keys.ts";
import { finding, type Finding } from "./finding.ts";
import { isFragment, type LintWorld } from "./world.ts";

export const lintClasses = (world: LintWorld): readonly Finding[] => {
  const { view, options } = world;
  if (isFragment(world)) return [];
  const found: Finding[] = [];
  const classes = view.list("GatewayClass");
  const ours = classes.filter(({ spec }) => spec.controllerName === options.controllerName);
  if (classes.length > 0 && ours.length === 0)
    for (const { metadata, spec } of classes)
      found.push(
        finding(
          "no-class-of-ours",
          `GatewayClass/${metadata.name}`,
          `its controllerName is ${spec.controllerName}, ours is ${options.controllerName}`,
        ),
      );
  for (const { metadata, spec } of ours) {
    if (usableClass(view, options, metadata.name) !== undefined) continue;
    const { group = "", kind = "", name = "", namespace = "" } = spec.parametersRef ?? {};
    found.push(
      finding(
        "class-parameters",
        `GatewayClass/${metadata.name}`,
        spec.parametersRef === undefined
          ? "it has no parametersRef"
          : `its parametersRef has group "${group}", kind "${kind}", name "${name}", namespace "${namespace}"`,
      ),
    );
  }
  const used = new Set(
    ours.flatMap(({ spec: { parametersRef } }) =>
      parametersRef === undefined ? [] : [nameOf(parametersRef.namespace, parametersRef.name)],
    ),
  );
  for (const config of view.list("GatewayConfig")) {
    const name = nameOfObject("GatewayConfig", config);
    if (!used.has(name)) found.push(finding("config-unused", `GatewayConfig/${name}`, "no class of ours names it"));
  }
  return found;
};
