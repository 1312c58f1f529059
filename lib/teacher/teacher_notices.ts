/**
 * What the user should know of a teacher before a run.
 *
 * @module
 */

import type { ApiFormat } from "./api_format.ts";
import { unknownParamNotices } from "./known_params.ts";
import type { Params } from "./teacher.ts";
import type { ResolvedTeacherOptions } from "./teacher_options.ts";

/** Says it, a sentence each. `params`: what the rows of the run are asked with. */
export function noticesOf(
  { ca, clientCert, insecureTls, keep }: ResolvedTeacherOptions,
  format: ApiFormat,
  address: string,
  params: Params,
): string[] {
  const notices = [
    ...format.notices?.(params) ?? [],
    ...unknownParamNotices(Object.keys(params)),
  ];
  const isPlain = address.startsWith("http:");
  if (isPlain && (ca !== undefined || clientCert !== undefined || insecureTls === true)) {
    notices.push(`${address} is asked without TLS (http://): certificates have no effect there`);
  } else if (insecureTls === true) {
    notices.push(
      `The certificate of ${address} is not checked (--insecure-tls): ` +
        "anyone in between can read the prompts, the answers and the key",
    );
  }
  if (keep.includes("logprobs") && !asksForLogprobs(params)) {
    notices.push(
      "--keep logprobs keeps what the teacher sends, and no parameter asks it for logprobs: " +
        `add -p ${format.logprobsExample}`,
    );
  }
  return notices;
}

function asksForLogprobs({ logprobs, include }: Params): boolean {
  if (Array.isArray(include) && include.some((one) => /logprobs/.test(String(one)))) return true;
  return logprobs !== undefined && logprobs !== null && logprobs !== false;
}
