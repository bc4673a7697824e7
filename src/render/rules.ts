/** Which edition of the rules applies: a log replays by the rules that it was written under. */
import type { RenderOptions } from "../resources/view.ts";

/** Whether the log was written under the rules of the first release, which recorded no edition. */
export const isFirstEdition = ({ rules = 1 }: RenderOptions): boolean => rules < 2;
