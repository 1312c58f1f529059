/**
 * `/chat/completions`: what all teachers have.
 *
 * @module
 */

import type { ApiFormat } from "./api_format.ts";
import type { Params } from "./teacher.ts";

/** `/chat/completions`. */
export const CHAT: ApiFormat = {
  path: "/chat/completions",
  logprobsExample: "logprobs=true",
  prompt: (messages) => ({ messages }),
  params({ stream_options: streamOptions, ...params }, { stream, responseFormat, add }) {
    return {
      ...(stream ? { stream, ...withUsage(streamOptions, add) } : {}),
      ...params,
      ...(wantsFormat(params) && responseFormat !== undefined && add("response_format")
        ? { response_format: responseFormat }
        : {}),
    };
  },
};

/** What asks a stream for its token counts. Without a stream, its options are an error to OpenAI. */
export function withUsage(options: unknown, add: (field: "stream_options") => boolean): Params {
  if (options === undefined) {
    return add("stream_options") ? { stream_options: { include_usage: true } } : {};
  }
  // Not ours to judge: the teacher will say what it thinks of null or a number.
  if (typeof options !== "object" || options === null) return { stream_options: options };
  return { stream_options: { include_usage: true, ...options } };
}

/** Whether parameters leave the form of the answer open. Beside tools, many servers refuse one. */
export function wantsFormat(params: Params): boolean {
  return !("response_format" in params) && !("tools" in params) && !("functions" in params);
}
