/**
 * Reads a file of manifests: YAML or JSON, any number of documents, Lists unpacked, each object validated by its schema.
 */
import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  type Document,
  type YAMLParseError,
} from "yaml";
import type { Rejection } from "../journal/fact.ts";
import { keyOf, nameOfObject, type Name, type ObjectKey } from "../resources/keys.ts";
import { findKind, type AnyObject, type Kind, type KindId } from "../resources/kinds.ts";
import { STUNNER_GROUP } from "../resources/names.ts";
import { validate } from "../resources/schema.ts";

export interface Manifest {
  readonly kind: KindId;
  readonly name: Name;
  readonly key: ObjectKey;
  readonly object: AnyObject;
  /** 1-based line of its document. */
  readonly line: number;
}

export interface Manifests {
  readonly manifests: readonly Manifest[];
  readonly rejections: readonly Rejection[];
  /** A document could not be identified, so an absent object does not count as removed. */
  readonly broken: boolean;
  /** Objects whose document was rejected, although the object could be identified. */
  readonly refused: ReadonlySet<ObjectKey>;
  /** Documents of kinds that Turnpike does not read. */
  readonly ignored: number;
}

type Path = readonly (string | number)[];

interface Found {
  readonly value: unknown;
  readonly path: Path;
}

/** More aliases than any manifest needs, fewer than a YAML bomb. */
const MAX_ALIASES = 100;

/** For these the parser's message quotes the input, which may contain a password. */
const QUOTING: { readonly [code in YAMLParseError["code"]]?: string } = {
  BAD_COLLECTION_TYPE: "a tag does not fit what it stands before",
  BAD_DIRECTIVE: "a directive is not known",
  BAD_DQ_ESCAPE: "an escape sequence in double quotes is not valid",
  BAD_SCALAR_START: "a plain value begins with a character that needs quotes around it",
  IMPOSSIBLE: "this cannot be read",
  TAG_RESOLVE_FAILED: "a tag is not known, or does not fit what it stands before",
  UNEXPECTED_TOKEN: "something stands here that is not expected",
};

const syntaxReason = ({ code, message }: YAMLParseError): string => QUOTING[code] ?? message;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `spec.listeners[0].port` → `["spec", "listeners", 0, "port"]`. */
const pathOf = (field: string): Path =>
  [...field.matchAll(/\[(\d+)\]|\["([^"]*)"\]|([^.[\]]+)/g)].map(([, index, quoted, plain]) =>
    index === undefined ? (quoted ?? plain ?? "") : Number(index),
  );

/** The line of `path`, or of the longest part of it that exists. */
const lineOf = (document: Document, path: Path, lines: LineCounter): number => {
  let node: unknown = document.contents;
  let offset = document.range?.[0] ?? 0;
  for (const step of [undefined, ...path]) {
    if (step !== undefined) {
      if (!isCollection(node)) break;
      // A field's position is that of its name, which may be lines above its value.
      const named = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step)?.key : undefined;
      if (isScalar(named) && named.range) offset = named.range[0];
      node = node.get(step, true);
    }
    if (isAlias(node)) node = node.resolve(document);
    if (!isNode(node) || !node.range) break;
    if (step === undefined || typeof step === "number") offset = node.range[0];
  }
  return lines.linePos(offset).line;
};

const unpack = (value: unknown, path: Path): readonly Found[] =>
  isRecord(value) &&
  typeof value["kind"] === "string" &&
  value["kind"].endsWith("List") &&
  Array.isArray(value["items"])
    ? value["items"].flatMap((item: unknown, index) => unpack(item, [...path, "items", index]))
    : [{ value, path }];

export const parseManifests = (text: string, file: string): Manifests => {
  const manifests: Manifest[] = [];
  const rejections: Rejection[] = [];
  const refused = new Set<ObjectKey>();
  let broken = false;
  let ignored = 0;

  const reject = (code: string, line: number, reason: string, object = "", field = ""): void => {
    rejections.push({ code, file, line, object, field, reason });
  };

  const take = ({ value, path }: Found, line: (path: Path) => number): void => {
    if (!isRecord(value)) {
      broken = true;
      return reject("manifest-schema", line(path), "is not an object: apiVersion, kind and metadata are expected");
    }
    const { apiVersion, kind: kindName, metadata } = value;
    for (const [field, given] of [
      ["apiVersion", apiVersion],
      ["kind", kindName],
    ] as const)
      if (typeof given !== "string" || given === "") {
        broken = true;
        return reject("manifest-schema", line([...path, field]), "is required, and a string", "", field);
      }
    const kind: Kind | undefined = findKind(String(apiVersion), String(kindName));
    if (kind === undefined) {
      if (String(apiVersion).startsWith(`${STUNNER_GROUP}/`)) {
        broken = true;
        reject(
          "manifest-kind",
          line([...path, "kind"]),
          `there is no ${String(kindName)} in ${String(apiVersion)}`,
          "",
          "kind",
        );
      } else ignored += 1;
      return;
    }
    if (!isRecord(metadata) || typeof metadata["name"] !== "string" || metadata["name"] === "") {
      broken = true;
      return reject(
        "manifest-schema",
        line([...path, "metadata", "name"]),
        "is required, and a string",
        kind.id,
        "metadata.name",
      );
    }
    const name = nameOfObject(kind.id, value as unknown as AnyObject);
    const key = keyOf(kind.id, name);
    const checked = validate(kind, value);
    if ("problems" in checked) {
      refused.add(key);
      for (const { field, reason } of checked.problems)
        reject("manifest-schema", line([...path, ...pathOf(field)]), reason, key, field);
      return;
    }
    if (manifests.some((earlier) => earlier.key === key))
      return reject("manifest-duplicate", line(path), "stands twice in this file; the first one is used", key);
    manifests.push({ kind: kind.id, name, key, object: checked.object, line: line(path) });
  };

  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, version: "1.2", merge: true });
  for (const document of documents) {
    const error = document.errors[0];
    if (error !== undefined) {
      broken = true;
      reject("manifest-syntax", lines.linePos(error.pos[0]).line, syntaxReason(error));
      continue;
    }
    if (document.contents === null) continue;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch {
      broken = true;
      const reason = `an alias names nothing before it, or there are more than ${MAX_ALIASES} of them`;
      reject("manifest-syntax", lineOf(document, [], lines), reason);
      continue;
    }
    for (const found of unpack(value, [])) take(found, (path) => lineOf(document, path, lines));
  }
  return { manifests, rejections, broken, refused, ignored };
};
