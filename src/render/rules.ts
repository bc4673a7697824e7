/** The version of the rules: a log replays with the rules under which it was written. */
import type { RenderOptions } from "../resources/view.ts";

/** Whether the log was written under the rules of the first release, which recorded no version. */
export const isFirstEdition = ({ rules = 1 }: RenderOptions): boolean => rules < 2;

/** Whether the log was written under rules that serve only the first usable certificate, and pass nothing on to HTTP. */
export const servesOneCertificate = ({ rules = 1 }: RenderOptions): boolean => rules < 3;

/** Whether the log was written under rules that name no alternates to draining dataplanes. */
export const namesNoAlternates = ({ rules = 1 }: RenderOptions): boolean => rules < 4;
