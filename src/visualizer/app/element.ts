/** Elements of the page, by preact. */
import { createElement, type ComponentChildren, type JSX } from "preact";

export type Element = JSX.Element;

type Attributes = Readonly<Record<string, unknown>>;

interface Create {
  (tag: string, attributes: Attributes | null, ...children: ComponentChildren[]): Element;
  <P extends object>(component: (props: P) => Element, props: P): Element;
}

export const h = createElement as unknown as Create;
